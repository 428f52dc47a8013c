/* Routes, channels and slight rules that leave somebody without what was meant for him. */
#include "alert/doubts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which severities an alert of the rule may have. */
static unsigned severities_of(const struct rule *rule)
{
    unsigned ret = 1u << rule_severity(rule, STATUS_DEGRADED);

    return rule->config->kind == RULE_STATUS ? ret | 1u << SEVERITY_CRITICAL : ret;
}

/* Of the alerts that the route takes, as far as names and severities tell. */
static unsigned severities_taken(const struct doubts *d, const struct matchers *matchers)
{
    unsigned of_rules = 0, ret = 0;

    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++) {
        const struct rule *rule = rule_set_at(d->plan->rules, i);

        if (doubt_may_be(matchers, "alertname", rule->config->name))
            of_rules |= severities_of(rule);
    }
    for (int s = 0; s < SEVERITY_COUNT; s++)
        if (of_rules >> s & 1 &&
            doubt_may_be(matchers, "severity", severity_text((enum severity)s)))
            ret |= 1u << s;
    return ret;
}

static void doubt_severities(const struct doubts *d, size_t index, const char *pointer)
{
    const struct compiled_route *route = &d->plan->routes[index];
    channel_set told = route->channels | route->escalate_to;
    unsigned taken = severities_taken(d, route->match);

    for (size_t c = 0; c < d->plan->channel_count; c++)
        if (told >> c & 1 && taken >> d->plan->channels[c].minimum_severity)
            return;
    if (taken)
        config_warning_add(d->errors, pointer,
                           "tells nobody: all it takes is below minimum_severity of its channels "
                           "(allowed: a lower one)");
}

/* Why no alert of the route is ever escalated; NULL: some are. */
static const char *why_not_escalated(const struct doubts *d, const struct compiled_route *route)
{
    unsigned taken = severities_taken(d, route->match);

    if (d->plan->escalation_delay_ns == 0)
        return "alert_manager.escalation_delay is 0 (allowed: more)";
    if (d->config->alert_manager.escalation_limit == 0)
        return "alert_manager.escalation_limit is 0 (allowed: more)";
    return taken && taken >> d->config->alert_manager.escalation_minimum_severity == 0
               ? "all that the route takes is below escalation_minimum_severity (allowed: a lower "
                 "one)"
               : NULL;
}

static void doubt_escalation(const struct doubts *d, size_t index)
{
    const struct compiled_route *route = &d->plan->routes[index];
    const char *why = route->escalate_to ? why_not_escalated(d, route) : NULL;
    char pointer[DOUBT_POINTER_BYTES];

    if (!why)
        return;
    snprintf(pointer, sizeof(pointer), "/alert_manager/routes/%zu/escalate_to", index);
    config_warning_add(d->errors, pointer, "is told nothing: %s", why);
}

/* Whether an earlier route leaves nothing for this one. */
static bool doubt_earlier(const struct doubts *d, size_t index, const char *pointer)
{
    for (size_t i = 0; i < index; i++) {
        const struct matchers *earlier = d->plan->routes[i].match;

        if (!doubt_covers(d, earlier, d->plan->routes[index].match))
            continue;
        if (matchers_count(earlier) == 0)
            config_warning_add(d->errors, pointer,
                               "takes no alert: route %zu before it takes all (allowed: the other "
                               "order)",
                               i);
        else
            config_warning_add(d->errors, pointer,
                               "takes no alert: route %zu before it takes all that it matches "
                               "(allowed: the other order, or one route with the channels of both)",
                               i);
        return true;
    }
    return false;
}

static bool asks_name_and_severity_only(const struct matchers *matchers)
{
    for (size_t i = 0; i < matchers_count(matchers); i++)
        if (strcmp(matchers_name(matchers, i), "alertname") != 0 &&
            strcmp(matchers_name(matchers, i), "severity") != 0)
            return false;
    return true;
}

static bool any_route_takes(const struct doubts *d, const char *rule, enum severity severity)
{
    for (size_t i = 0; i < d->config->alert_manager.routes.count; i++) {
        const struct matchers *matchers = d->plan->routes[i].match;

        if (asks_name_and_severity_only(matchers) && doubt_may_be(matchers, "alertname", rule) &&
            doubt_may_be(matchers, "severity", severity_text(severity)))
            return true;
    }
    return false;
}

/* Whether every rule finds a route, whatever its severity comes to: it may be escalated. */
static bool all_are_taken(const struct doubts *d)
{
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++) {
        const struct rule *rule = rule_set_at(d->plan->rules, i);

        for (int s = rule_severity(rule, STATUS_DEGRADED); s < SEVERITY_COUNT; s++)
            if (!any_route_takes(d, rule->config->name, (enum severity)s))
                return false;
    }
    return true;
}

void doubt_routes(const struct doubts *d)
{
    size_t count = d->config->alert_manager.routes.count;
    char pointer[DOUBT_POINTER_BYTES];

    for (size_t i = 0; i < count; i++) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/routes/%zu", i);
        if (!doubt_earlier(d, i, pointer))
            doubt_severities(d, i, pointer);
        doubt_escalation(d, i);
        doubt_group_by(d, &d->plan->routes[i].config->group_by, pointer);
        doubt_matchers(d, d->plan->routes[i].match, NULL, pointer);
    }
    if (count > 0 && !all_are_taken(d))
        config_warning_add(d->errors, "/alert_manager/routes",
                           "what none of them matches is told to nobody (allowed: a last route "
                           "without match and matchers)");
}

/* The most severe that an alert of the rule becomes. */
static enum severity worst_of(const struct doubts *d, const struct rule *rule)
{
    unsigned steps = d->config->alert_manager.escalation_limit, severities = severities_of(rule);
    unsigned worst = 0;

    while (severities >> (worst + 1))
        worst++;
    if (d->plan->escalation_delay_ns > 0 &&
        worst >= d->config->alert_manager.escalation_minimum_severity)
        worst += steps;
    return worst < SEVERITY_CRITICAL ? (enum severity)worst : SEVERITY_CRITICAL;
}

/* Without routes every channel is told all that it wants. */
void doubt_slight_rules(const struct doubts *d)
{
    enum severity wanted = SEVERITY_CRITICAL;
    char pointer[DOUBT_POINTER_BYTES];

    if (d->config->alert_manager.routes.count > 0)
        return;
    for (size_t c = 0; c < d->plan->channel_count; c++)
        if (d->plan->channels[c].minimum_severity < wanted)
            wanted = d->plan->channels[c].minimum_severity;
    for (size_t i = 0; i < d->config->alert_manager.rules.count; i++) {
        const struct config_rule *config = &d->config->alert_manager.rules.items[i];
        const struct rule *rule = rule_set_find(d->plan->rules, config->name);

        if (!config->enabled || !rule || worst_of(d, rule) >= wanted)
            continue;
        snprintf(pointer, sizeof(pointer), "/alert_manager/rules/%zu", i);
        config_warning_add(d->errors, pointer,
                           "is told to nobody: its severity is below minimum_severity of every "
                           "channel (allowed: a higher one)");
    }
}

void doubt_channels(const struct doubts *d)
{
    channel_set named = 0;
    char pointer[DOUBT_POINTER_BYTES];

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
