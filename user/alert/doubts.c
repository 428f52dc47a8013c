/* Configurations that are allowed and page nobody, or not whom they were meant to. */
#include "alert/doubts.h"
#include "alert/rule_table.h"
#include "base/text.h"
#include "health/health.h"
#include <stdio.h>
#include <string.h>

#define POINTER_BYTES 96

struct doubts {
    const struct plan *plan;
    const struct config *config;
    struct config_errors *errors;
};

static bool has_label(const struct config_rule *rule, const char *name)
{
    struct text allowed;
    bool has;

    text_init(&allowed, 1024);
    has = rule_has_label(rule, name, &allowed);
    text_free(&allowed);
    return has;
}

static bool any_rule_has_label(const struct doubts *d, const char *name)
{
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++)
        if (has_label(rule_set_at(d->plan->rules, i)->config, name))
            return true;
    return false;
}

static bool any_rule_is(const struct doubts *d, const struct matchers *matchers, size_t index)
{
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++)
        if (matchers_may_hold(matchers, index, rule_set_at(d->plan->rules, i)->config->name))
            return true;
    return false;
}

static bool any_severity_is(const struct matchers *matchers, size_t index)
{
    for (int i = 0; i < SEVERITY_COUNT; i++)
        if (matchers_may_hold(matchers, index, severity_text((enum severity)i)))
            return true;
    return false;
}

static bool any_check_is(const struct matchers *matchers, size_t index)
{
    const char *name;

    for (size_t i = 0; (name = health_check_name(i)); i++)
        if (matchers_may_hold(matchers, index, name))
            return true;
    return matchers_may_hold(matchers, index, "");
}

static bool any_cgroup_is(const struct matchers *matchers, size_t index)
{
    return matchers_may_begin(matchers, index, "/") ||
           matchers_may_hold(matchers, index, "other") || matchers_may_hold(matchers, index, "");
}

/* `rule` NULL: over the alerts of all rules. */
static void doubt_matchers(const struct doubts *d, const struct matchers *matchers,
                           const struct config_rule *rule, const char *pointer)
{
    for (size_t i = 0; i < matchers_count(matchers); i++) {
        const char *name = matchers_name(matchers, i);

        if (!rule && strcmp(name, "alertname") == 0) {
            if (!any_rule_is(d, matchers, i))
                config_warning_add(d->errors, pointer,
                                   "matches nothing: no rule that is enabled has such a name");
        } else if (!rule && strcmp(name, "severity") == 0) {
            if (!any_severity_is(matchers, i))
                config_warning_add(d->errors, pointer,
                                   "matches nothing: no severity is so called (allowed: info, "
                                   "warning, error, critical)");
        } else if (strcmp(name, "check") == 0) {
            if (!any_check_is(matchers, i))
                config_warning_add(d->errors, pointer,
                                   "matches nothing: no health check has such a name (see "
                                   "GET /health/components)");
        } else if (!(rule ? has_label(rule, name) : any_rule_has_label(d, name)) &&
                   !matchers_may_hold(matchers, i, "")) {
            config_warning_add(d->errors, pointer, "matches nothing: no alert %shas a label \"%s\"",
                               rule ? "of this kind " : "", name);
        } else if (strcmp(name, "cgroup") == 0 && !any_cgroup_is(matchers, i)) {
            config_warning_add(d->errors, pointer,
                               "matches nothing: the path of a cgroup begins with \"/\", as in "
                               "/proc/PID/cgroup");
        }
    }
}

static void doubt_routes(const struct doubts *d)
{
    size_t count = d->config->alert_manager.routes.count, all = count;
    char pointer[POINTER_BYTES];

    for (size_t i = 0; i < count; i++) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/routes/%zu", i);
        if (all < i)
            config_warning_add(d->errors, pointer,
                               "takes no alert: route %zu before it takes all (allowed: the other "
                               "order)",
                               all);
        else if (matchers_count(d->plan->routes[i].match) == 0)
            all = i;
        doubt_matchers(d, d->plan->routes[i].match, NULL, pointer);
    }
    if (count > 0 && all == count)
        config_warning_add(d->errors, "/alert_manager/routes",
                           "what none of them matches is told to nobody (allowed: a last route "
                           "without match and matchers)");
}

static void doubt_channels(const struct doubts *d)
{
    channel_set named = 0;
    char pointer[POINTER_BYTES];

    for (size_t i = 0; i < d->plan->route_count; i++)
        named |= d->plan->routes[i].channels | d->plan->routes[i].escalate_to;
    for (size_t i = 0; i < d->config->alert_manager.channels.count; i++) {
        if (named & (channel_set)1 << i)
            continue;
        snprintf(pointer, sizeof(pointer), "/alert_manager/channels/%zu", i);
        config_warning_add(d->errors, pointer, "is told nothing: no route names \"%s\"",
                           d->config->alert_manager.channels.items[i].name);
    }
}

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

/* Who switches a rule off by its name alone means one that there is. */
static void doubt_rules(const struct doubts *d)
{
    char pointer[POINTER_BYTES];

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
        if (rule->metric && strncmp(rule->metric, "moonwatch_", strlen("moonwatch_")) != 0)
            config_warning_add(d->errors, pointer,
                               "cannot fire: no metric \"%s\" is in /metrics, they all begin with "
                               "moonwatch_",
                               rule->metric);
        doubt_matchers(d, compiled->match, rule, pointer);
    }
}

void doubts_add(const struct plan *plan, const struct config *config, struct config_errors *errors)
{
    const struct doubts d = {plan, config, errors};
    char pointer[POINTER_BYTES];

    doubt_rules(&d);
    doubt_routes(&d);
    doubt_channels(&d);
    for (size_t i = 0; i < plan->inhibit_count; i++) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/inhibit/%zu", i);
        doubt_matchers(&d, plan->inhibits[i].source, NULL, pointer);
        doubt_matchers(&d, plan->inhibits[i].target, NULL, pointer);
    }
    for (size_t i = 0; i < plan->mute_count; i++) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/mute_windows/%zu", i);
        doubt_matchers(&d, plan->mutes[i].match, NULL, pointer);
    }
}
