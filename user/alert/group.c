/* Groups: alerts of one route with equal values of its group_by labels are told together. */
#include "alert/engine.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t key_of(unsigned route, const struct labels *labels)
{
    return fnv_bytes(labels_fingerprint(labels), &route, sizeof(route));
}

int group_take(struct alert_manager *m, unsigned route, struct labels *labels, struct group **ret)
{
    uint64_t key = key_of(route, labels);
    struct group *group;

    for (struct table_node *node = table_bucket(&m->group_table, key); node; node = node->next) {
        group = (struct group *)node;
        if (node->key == key && group->route == route && labels_equal(group->labels, labels)) {
            *ret = group;
            return 0;
        }
    }
    group = calloc(1, sizeof(*group));
    if (!group)
        return -ENOMEM;
    group->node.key = key;
    if (table_add(&m->group_table, &group->node) < 0) {
        free(group);
        return -ENOMEM;
    }
    group->route = route;
    group->labels = labels_ref(labels);
    group->flushed_at = NEVER;
    group->next = m->groups;
    if (m->groups)
        m->groups->previous = group;
    m->groups = group;
    *ret = group;
    return 0;
}

static int common_labels(const struct compiled_route *route, const struct alert *alert,
                         struct labels **ret)
{
    const struct config_strings *names = &route->config->group_by;
    struct label pairs[LABELS_MAX];
    size_t n = 0;

    if (route->paced && names->count == 0)
        return origin_thing(alert->labels, ret);
    for (size_t i = 0; i < names->count && n < LABELS_MAX; i++) {
        const char *name = names->items[i];

        pairs[n++] =
            (struct label){name, strcmp(name, "severity") == 0 ? severity_text(alert->severity)
                                                               : labels_get(alert->labels, name)};
    }
    return labels_create_again(ret, pairs, n);
}

/* 0 also when no route matches: the alert has no group then. */
int group_join(struct alert_manager *m, struct alert *alert)
{
    int route = plan_route(m->plan, alert->labels, alert->severity), r;
    struct labels *labels = NULL;
    struct group *group = NULL;

    if (route < 0)
        return 0;
    r = common_labels(&m->plan->routes[route], alert, &labels);
    if (r == 0)
        r = group_take(m, (unsigned)route, labels, &group);
    labels_unref(labels);
    if (r < 0 || !group)
        return r;
    alert->group = group;
    alert->previous_in_group = NULL;
    alert->next_in_group = group->alerts;
    if (group->alerts)
        group->alerts->previous_in_group = alert;
    group->alerts = alert;
    return 0;
}

void group_leave(struct alert *alert)
{
    if (!alert->group)
        return;
    if (alert->previous_in_group)
        alert->previous_in_group->next_in_group = alert->next_in_group;
    else
        alert->group->alerts = alert->next_in_group;
    if (alert->next_in_group)
        alert->next_in_group->previous_in_group = alert->previous_in_group;
    alert->next_in_group = alert->previous_in_group = NULL;
    alert->group = NULL;
}

static void release(struct alert_manager *m, struct group *group)
{
    table_remove(&m->group_table, &group->node);
    if (group->previous)
        group->previous->next = group->next;
    else
        m->groups = group->next;
    if (group->next)
        group->next->previous = group->previous;
    labels_unref(group->labels);
    free(group);
}

/* An empty group is kept while its interval runs: an alert that comes back is not a new group. */
void group_collect(struct alert_manager *m)
{
    struct group *next;

    for (struct group *group = m->groups; group; group = next) {
        const struct compiled_route *route = &m->plan->routes[group->route];

        next = group->next;
        if (!group->alerts &&
            (group->flushed_at == NEVER || m->now - group->flushed_at >= route->group_interval_ns))
            release(m, group);
    }
}

void groups_free(struct alert_manager *m)
{
    for (struct alert *alert = m->alerts; alert; alert = alert->next)
        group_leave(alert);
    while (m->groups)
        release(m, m->groups);
    table_free(&m->group_table);
}
