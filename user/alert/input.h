/* What the rules are evaluated over in one tick: plain values, valid during the call. */
#ifndef MOONWATCH_ALERT_INPUT_H
#define MOONWATCH_ALERT_INPUT_H

#include "alert/labels.h"
#include "base/text.h"
#include "config/alerting.h"
#include "model/sample.h"
#include "model/status.h"

/* A health check (RULE_STATUS) or what a detector finds (RULE_DEGRADATION, RULE_ANOMALY,
 * RULE_FORECAST): degraded and unhealthy fire, unknown leaves things as they are. One that is not
 * in the input any more counts as unknown. */
struct alert_condition {
    enum rule_kind kind;
    const struct label *labels;
    size_t label_count;
    enum status status;
    double value;       /* NaN: none */
    const char *reason; /* one sentence; NULL or "" when healthy */
};

struct alert_event {
    enum rule_event event;
    const struct label *labels; /* what is the same for the next such event: no pid */
    size_t label_count;
    double value;       /* NaN: none */
    const char *reason; /* one sentence, with the pid */
};

struct alert_input {
    uint64_t monotonic_ns; /* never before the one of the last tick; stands still in suspend */
    uint64_t realtime_ns;  /* may jump either way */
    const struct sample *samples;
    size_t sample_count;
    const struct alert_condition *conditions;
    size_t condition_count;
    const struct alert_event *events; /* since the last tick */
    size_t event_count;
    /* A figure that takes two samples cannot be there yet: what is absent tells nothing. */
    bool no_rates_yet;
    /* Says who is behind an alert that begins to fire: "top by CPU: cc1 (pid 4242) 97 %, ...".
     * NULL: nobody knows. Called during the tick. */
    void (*explain)(void *ctx, const struct labels *alert, struct text *out);
    void *ctx;
};

#endif
