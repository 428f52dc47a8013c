/* Rules that never fire, or always do. */
#include "alert/doubts.h"
#include "alert/rule_table.h"
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_built_in(const char *name)
{
    for (size_t i = 0; i < built_in_rule_count; i++)
        if (strcmp(built_in_rules[i].name, name) == 0)
            return true;
    return false;
}

static bool says_more(const struct config_rule *rule)
{
    return rule->metric || rule->match.count > 0 || rule->matchers.count > 0;
}

/* What all programs take is of one core, and they may run on many. */
static bool is_share(const char *metric)
{
    return text_ends(metric, "_ratio") && !text_begins(metric, "moonwatch_bpf_");
}

static void doubt_level(const struct doubts *d, const struct config_rule *rule, const char *pointer)
{
    bool share = is_share(rule->metric);
    bool from_0 = share || text_ends(rule->metric, "_total") || text_ends(rule->metric, "_bytes");
    const char *problem = NULL;

    if (share && rule->above >= 1)
        problem = "never fires: the metric is a share of at most 1 (allowed: e.g. 0.9 for 90 %)";
    else if (from_0 && rule->above < 0)
        problem = "fires always: the metric is never below 0 (allowed: from 0)";
    else if (from_0 && rule->below <= 0)
        problem = "never fires: the metric is never below 0 (allowed: above 0)";
    else if (share && rule->below > 1)
        problem = "fires always: the metric is a share of at most 1 (allowed: e.g. 0.1 for 10 %)";
    if (problem)
        config_warning_add(d->errors, pointer, "%s", problem);
}

static bool doubt_metric(const struct doubts *d, const struct config_rule *rule,
                         const char *pointer, enum metric_need *ret)
{
    const char *effect = rule->kind == RULE_ABSENT ? "always fires" : "cannot fire";
    char nearest[METRIC_NAME_BYTES];
    struct metric metric;

    if (metric_find(rule->metric, &metric)) {
        *ret = metric.need;
        return false;
    }
    if (!metric_any_declared())
        return false;
    if (metric_histogram(rule->metric, nearest)) {
        config_warning_add(d->errors, pointer,
                           "%s: %.80s is a histogram, of which rules see %.60s_count and "
                           "%.60s_sum, and no buckets or quantiles",
                           effect, nearest, nearest, nearest);
        return true;
    }
    metric_nearest(rule->metric, nearest);
    config_warning_add(d->errors, pointer,
                       "%s: there is no metric \"%.120s\"%s%s (see GET /metrics)", effect,
                       rule->metric, *nearest ? ", the nearest is " : "", nearest);
    return true;
}

static enum metric_need need_of(const struct config_rule *rule)
{
    static const enum metric_need events[RULE_EVENT_COUNT] = {
        [RULE_EVENT_CRASH] = NEED_PROCESS,      [RULE_EVENT_OOM] = NEED_OOM,
        [RULE_EVENT_BREAKER] = NEED_BREAKERS,   [RULE_EVENT_STALL] = NEED_STALLS,
        [RULE_EVENT_PROBE_SHED] = NEED_BUDGET,  [RULE_EVENT_RECORDS_LOST] = NEED_NOTHING,
        [RULE_EVENT_CRASH_LOOP] = NEED_PROCESS, [RULE_EVENT_SERVICE_FAILED] = NEED_PROCESS,
    };

    switch (rule->kind) {
    case RULE_EVENT:
        return events[rule->event];
    case RULE_STATUS:
        return NEED_HEALTH;
    case RULE_DEGRADATION:
        return NEED_CALLS;
    default:
        return NEED_NOTHING;
    }
}

/* What the rule looks at: whether it can be there. */
static void doubt_source(const struct doubts *d, const struct config_rule *rule,
                         const char *pointer)
{
    enum metric_need need = need_of(rule);
    const char *missing;

    if (rule->metric) {
        if (doubt_metric(d, rule, pointer, &need))
            return;
        if (rule->kind == RULE_THRESHOLD)
            doubt_level(d, rule, pointer);
    }
    missing = d->known->need_missing(d->config, need);
    if (missing)
        config_warning_add(d->errors, pointer, "%s: %s",
                           rule->kind == RULE_ABSENT ? "always fires" : "cannot fire", missing);
}

/* Who switches a rule off by its name alone means one that there is. */
void doubt_rules(const struct doubts *d)
{
    char pointer[DOUBT_POINTER_BYTES];

    for (size_t i = 0; i < d->config->alert_manager.rules.count; i++) {
        const struct config_rule *rule = &d->config->alert_manager.rules.items[i];
        const struct rule *compiled = rule_set_find(d->plan->rules, rule->name);

        snprintf(pointer, sizeof(pointer), "/alert_manager/rules/%zu", i);
        if (!rule->enabled && !says_more(rule) && !is_built_in(rule->name))
            config_warning_add(d->errors, pointer,
                               "switches nothing off: no rule that is built in is called \"%s\"",
                               rule->name);
        if (!rule->enabled || !compiled)
            continue;
        doubt_source(d, rule, pointer);
        doubt_matchers(d, compiled->match, rule, pointer);
    }
}
