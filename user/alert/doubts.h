/* What is surely not meant in an alert manager's configuration: it is allowed, and pages nobody, or
 * not whom it was meant to. Inside this layer only. */
#ifndef MOONWATCH_ALERT_DOUBTS_H
#define MOONWATCH_ALERT_DOUBTS_H

#include "alert/known.h"
#include "alert/plan.h"

/* Adds warnings. */
void doubts_add(const struct plan *plan, const struct config *config,
                const struct alert_known *known, struct config_errors *errors);

#define DOUBT_POINTER_BYTES 96

/* A reload waits for the doubts: so many values of labels are tried in all. */
#define DOUBT_VALUES_MAX 100000

struct doubts_state {
    unsigned values_tried;
};

struct doubts {
    const struct plan *plan;
    const struct config *config;
    const struct alert_known *known;
    struct config_errors *errors;
    struct doubts_state *state;
};

/* `rule` NULL: over the alerts of all rules; else over what this one looks at. */
void doubt_matchers(const struct doubts *d, const struct matchers *matchers,
                    const struct config_rule *rule, const char *pointer);
void doubt_group_by(const struct doubts *d, const struct config_strings *names,
                    const char *pointer);
void doubt_equal(const struct doubts *d, const struct config_strings *names, const char *pointer);
/* Whether the matchers of this label may all hold for the value. */
bool doubt_may_be(const struct matchers *matchers, const char *label, const char *value);
/* Whether `wide` matches all alerts that `narrow` matches. */
bool doubt_covers(const struct doubts *d, const struct matchers *wide,
                  const struct matchers *narrow);
/* What can be told from one of them alone; whether there was something. */
bool doubt_form(const struct doubts *d, const struct matchers *matchers, size_t index,
                const struct config_rule *rule, const char *pointer);
/* What can be told where all values of its label are known; whether there was something. */
bool doubt_value(const struct doubts *d, const struct matchers *matchers, size_t index,
                 const struct config_rule *rule, const char *pointer);
void doubt_rules(const struct doubts *d);
void doubt_routes(const struct doubts *d);
void doubt_slight_rules(const struct doubts *d);
void doubt_channels(const struct doubts *d);
void doubt_mutes(const struct doubts *d);

#endif
