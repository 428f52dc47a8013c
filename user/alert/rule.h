/* The rules, ready to be evaluated: those of the configuration and the built-in ones. */
#ifndef MOONWATCH_ALERT_RULE_H
#define MOONWATCH_ALERT_RULE_H

#include "alert/input.h"
#include "alert/matcher.h"
#include "config/config.h"

struct rule {
    const struct config_rule *config;
    struct matchers *match;
    int64_t for_ns, keep_ns, within_ns;
    bool built_in;
    size_t alert_count; /* instances there are; kept by the alert manager */
};

struct rule_set;

/* Compiles what `config` holds, which is borrowed until the set is destroyed. A rule with the name
 * of a built-in one replaces it, e.g. with `"enabled": false`; disabled rules are left out.
 * -EINVAL: the errors are added. */
int rule_set_create(struct rule_set **ret, const struct config *config,
                    struct config_errors *errors);
void rule_set_destroy(struct rule_set *set); /* NULL is fine */

size_t rule_set_count(const struct rule_set *set);
struct rule *rule_set_at(const struct rule_set *set, size_t index);
struct rule *rule_set_find(const struct rule_set *set, const char *name); /* NULL: none */
/* The threshold and absence rules of a metric, side by side. */
struct rule *const *rule_set_of_metric(const struct rule_set *set, const char *metric,
                                       size_t *ret_count);

enum verdict {
    VERDICT_NO,   /* this series is none of the rule's */
    VERDICT_IDLE, /* it is, and nothing is wrong */
    VERDICT_KEEP, /* between the level and the clear level: as it was */
    VERDICT_ACTIVE,
    VERDICT_UNKNOWN,
};

enum verdict rule_judge_sample(const struct rule *rule, const struct sample *sample);
enum verdict rule_judge_condition(const struct rule *rule, const struct alert_condition *condition);
bool rule_takes_event(const struct rule *rule, const struct alert_event *event);
/* How bad the condition is: an unhealthy one is critical. */
enum severity rule_severity(const struct rule *rule, enum status status);

const char *severity_text(enum severity s);     /* "info" ... */
const char *rule_kind_text(enum rule_kind k);   /* "threshold" ... */
const char *rule_event_text(enum rule_event e); /* "crash" ... */

#endif
