/* How many notifications a receiver gets: what is quiet is told at once, what comes thick and fast
 * is gathered, and a storm is gathered for ever longer. Times are monotonic nanoseconds. */
#ifndef MOONWATCH_ALERT_PACE_H
#define MOONWATCH_ALERT_PACE_H

#include "config/alerting.h"
#include <stdbool.h>
#include <stdint.h>

#define PACE_RULES_MAX 32

struct pace_rule {
    uint64_t rule; /* a hash of its name */
    int64_t at;    /* when an alert of it was told last */
};

/* Of one receiver. All zero: nothing was told. */
struct pace {
    /* A bucket of tokens per severity, as what was taken out of it. */
    double taken[SEVERITY_COUNT];
    int64_t taken_at[SEVERITY_COUNT];
    struct pace_rule rules[PACE_RULES_MAX];
    unsigned rule_count;
    unsigned gathered;   /* news in a row, each soon after the one before: a storm */
    int64_t gathered_at; /* the last of them */
};

/* Whether a rule's alert may be told at once. In a storm that is so for a rule that is new to it,
 * out of a storm while there are tokens, and for a CRITICAL if none of its rule just was: a storm
 * of one kind takes nothing from another. */
bool pace_is_open(const struct pace *pace, unsigned alerts_per_hour, int64_t group_interval_ns,
                  enum severity severity, uint64_t rule, int64_t now);
/* Whether the rule was told lately, in a storm or out of it. */
bool pace_has_told(const struct pace *pace, int64_t group_interval_ns, uint64_t rule, int64_t now);

/* What was told: an alert of the rule, in whatever way; a notification at once; news
 * that was gathered. */
void pace_tell(struct pace *pace, uint64_t rule, int64_t now);
void pace_take(struct pace *pace, unsigned alerts_per_hour, enum severity severity, int64_t now);
void pace_gather(struct pace *pace, int64_t group_interval_ns, int64_t now);

/* How long what does not go at once waits for more. */
int64_t pace_gathering_ns(enum severity severity);
/* The least time between two that were gathered. For ERROR and CRITICAL it doubles in a storm from
 * the third on: nothing waits for longer than a minute, or than the storm has lasted when it is
 * told, nor than the group's interval, which it is for all others. */
int64_t pace_interval_ns(const struct pace *pace, int64_t group_interval_ns, enum severity severity,
                         int64_t now);

#endif
