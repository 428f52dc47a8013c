/* The alerts there are, and room for the next one. */
#include "alert/engine.h"
#include <stdlib.h>
#include <string.h>

struct alert *registry_find(const struct alert_manager *m, const struct labels *labels)
{
    uint64_t key = labels_fingerprint(labels);

    for (struct table_node *node = table_bucket(&m->table, key); node; node = node->next) {
        struct alert *alert = (struct alert *)node;

        if (node->key == key && labels_equal(alert->labels, labels))
            return alert;
    }
    return NULL;
}

void registry_remove(struct alert_manager *m, struct alert *alert)
{
    group_leave(alert);
    table_remove(&m->table, &alert->node);
    if (alert->previous)
        alert->previous->next = alert->next;
    else
        m->alerts = alert->next;
    if (alert->next)
        alert->next->previous = alert->previous;
    m->count--;
    m->revision++;
    m->critical_count -= alert->severity == SEVERITY_CRITICAL;
    if (alert->rule)
        alert->rule->alert_count--;
    labels_unref(alert->labels);
    free(alert->summary);
    free(alert->reason);
    free(alert->latest_reason);
    free(alert->offenders);
    free(alert->changed);
    free(alert->acked_by);
    free(alert->ack_comment);
    free(alert);
}

static bool may_go(const struct alert_manager *m, const struct alert *alert)
{
    return alert->state == ALERT_RESOLVED && !want_is_owed(m, alert);
}

/* Alerts that are only remembered make room for those that are new. */
static bool make_room(struct alert_manager *m)
{
    struct alert *next;
    bool any = false;

    if (m->full)
        return false;
    for (struct alert *alert = m->alerts; alert; alert = next) {
        next = alert->next;
        if (!may_go(m, alert))
            continue;
        registry_remove(m, alert);
        any = true;
    }
    m->full = !any;
    return any;
}

static bool has_room(const struct alert_manager *m, enum severity severity)
{
    return severity == SEVERITY_CRITICAL ? m->critical_count < CRITICALS_MAX
                                         : m->count - m->critical_count < ALERTS_MAX;
}

static void overflow(struct alert_manager *m, const struct rule *rule, const struct labels *labels,
                     enum severity severity)
{
    int route = plan_route(m->plan, labels, severity);

    m->counters.overflowed++;
    digest_hold(m, rule->config->name, labels_fingerprint(labels), severity,
                route < 0 ? 0 : m->plan->routes[route].channels);
}

struct alert *registry_add(struct alert_manager *m, struct rule *rule, struct labels *labels,
                           enum severity severity)
{
    struct alert *alert = NULL;

    if (has_room(m, severity) || make_room(m))
        alert = calloc(1, sizeof(*alert));
    if (alert && !has_room(m, severity)) {
        free(alert);
        alert = NULL;
    }
    if (!alert) {
        overflow(m, rule, labels, severity);
        return NULL;
    }
    alert->node.key = labels_fingerprint(labels);
    if (table_add(&m->table, &alert->node) < 0) {
        free(alert);
        overflow(m, rule, labels, severity);
        return NULL;
    }
    alert->labels = labels_ref(labels);
    alert->rule = rule;
    alert->severity = severity;
    alert->active_since = alert->last_active = alert->last_seen = NEVER;
    alert->fired_at = alert->resolved_at = alert->told_at = alert->escalated_at = NEVER;
    alert->eased_at = NEVER;
    alert->acked_until = NEVER;
    for (size_t i = 0; i < RULE_COUNT_MAX; i++)
        alert->events[i] = NEVER;
    for (size_t i = 0; i < FLAPPING_CHANGES_MAX; i++)
        alert->changes[i] = NEVER;
    alert->next = m->alerts;
    if (m->alerts)
        m->alerts->previous = alert;
    m->alerts = alert;
    m->count++;
    m->revision++;
    m->critical_count += severity == SEVERITY_CRITICAL;
    rule->alert_count++;
    return alert;
}

/* What has been less severe for a whole cooldown, and gets worse, is told again. */
static void ease(const struct alert_manager *m, struct alert *alert)
{
    if (alert->told == TOLD_NOTHING || alert->severity >= alert->told_severity) {
        alert->eased_at = NEVER;
        return;
    }
    if (alert->eased_at == NEVER)
        alert->eased_at = m->now;
}

void registry_set_severity(struct alert_manager *m, struct alert *alert, enum severity severity)
{
    if (alert->severity == severity)
        return;
    m->critical_count += severity == SEVERITY_CRITICAL;
    m->critical_count -= alert->severity == SEVERITY_CRITICAL;
    alert->severity = severity;
    m->revision++;
    ease(m, alert);
    /* The route may be another one now. */
    if (alert->group && plan_route(m->plan, alert->labels, severity) != (int)alert->group->route)
        group_leave(alert);
}
