/* How many notifications go at once: what is quiet is told at once, what comes thick and fast is
 * gathered. Times are monotonic nanoseconds. */
#ifndef MOONWATCH_ALERT_PACE_H
#define MOONWATCH_ALERT_PACE_H

#include "config/alerting.h"
#include <stdbool.h>
#include <stdint.h>

#define PACE_RULES_MAX 32

/* All zero: nothing was told. */
struct pace {
    /* A bucket of tokens per severity, as what was taken out of it. */
    double taken[SEVERITY_COUNT];
    int64_t taken_at[SEVERITY_COUNT];
    /* The rules whose CRITICAL alerts were told last. */
    struct {
        uint64_t rule;
        int64_t at;
    } criticals[PACE_RULES_MAX];
    unsigned critical_count; /* ever */
};

/* `rule` is a hash of its name. A CRITICAL goes at once unless one of its rule just did: a storm of
 * one kind takes nothing from another. */
bool pace_is_open(const struct pace *pace, unsigned alerts_per_hour, enum severity severity,
                  uint64_t rule, int64_t now);
/* One was told: at once or, for CRITICAL, in whatever way. */
void pace_take(struct pace *pace, unsigned alerts_per_hour, enum severity severity, uint64_t rule,
               int64_t now);

/* How long what does not go at once waits for more, and since the last that was gathered. */
struct pace_wait {
    int64_t gather_ns, interval_ns;
};
struct pace_wait pace_wait_of(enum severity severity, int64_t group_interval_ns);

#endif
