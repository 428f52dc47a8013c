/* The POSIX TZ rule at the end of a TZif file, for the times behind its last transition, e.g.
 * "CET-1CEST,M3.5.0,M10.5.0/3". Inside this layer only. */
#ifndef MOONWATCH_ALERT_ZONE_RULE_H
#define MOONWATCH_ALERT_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

struct zone_date {
    char kind; /* 'M': month, week, weekday; 'J': day 1..365 without leap days; 0: day 0..365 */
    int month, week, day;
    int32_t seconds; /* of the day, may be negative or beyond it */
};

struct zone_rule {
    int32_t standard, daylight; /* seconds to add to UTC */
    bool changes;
    struct zone_date start, end; /* of daylight saving time */
};

bool zone_rule_parse(struct zone_rule *ret, const char *text);
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t at);

#endif
