/* What may not be said at once is gathered and said in one notification of the whole route. */
#include "alert/engine.h"

/* Good news comes alone or all at once. */
#define GOOD_GATHER_NS (10 * (int64_t)NS_PER_SECOND)

bool rest_lets(struct alert_manager *m, const struct group *group, bool news, enum severity worst,
               uint64_t rule)
{
    const struct route *route = &m->plan->routes[group->route];
    struct rest *rest = &m->rests[group->route];
    int64_t *since = news ? &rest->since[worst] : &rest->good_since;

    if (!route->paced || !(route->channels & ~route->log))
        return true;
    if (news && (worst == SEVERITY_CRITICAL || *since == NEVER) &&
        pace_is_open(&m->pace, m->plan->config->alert_manager.max_alerts_per_hour, worst, rule,
                     m->now))
        return true;
    if (*since == NEVER)
        *since = m->now;
    return false;
}

static bool is_over(const struct alert_manager *m, int64_t since, int64_t flushed_at,
                    struct pace_wait wait)
{
    return since != NEVER && m->now - since >= wait.gather_ns &&
           (flushed_at == NEVER || m->now - flushed_at >= wait.interval_ns);
}

static bool is_due(const struct alert_manager *m, unsigned route, int64_t flushed_at)
{
    const struct rest *rest = &m->rests[route];
    int64_t interval_ns = m->plan->routes[route].group_interval_ns;

    for (unsigned severity = 0; severity < SEVERITY_COUNT; severity++)
        if (is_over(m, rest->since[severity], flushed_at,
                    pace_wait_of((enum severity)severity, interval_ns)))
            return true;
    return is_over(m, rest->good_since, flushed_at,
                   (struct pace_wait){GOOD_GATHER_NS, interval_ns});
}

static void clear(struct rest *rest)
{
    for (unsigned severity = 0; severity < SEVERITY_COUNT; severity++)
        rest->since[severity] = NEVER;
    rest->good_since = NEVER;
}

void rest_reset(struct alert_manager *m)
{
    for (size_t i = 0; i < m->plan->route_count; i++)
        clear(&m->rests[i]);
}

static void send_route(struct alert_manager *m, unsigned route)
{
    struct flush flush = {.joint = true};
    struct labels *nothing = NULL;

    if (labels_create(&nothing, NULL, 0) < 0)
        return;
    if (group_take(m, route, nothing, &flush.group) < 0)
        flush.group = NULL;
    labels_unref(nothing);
    if (!flush.group || !is_due(m, route, flush.group->flushed_at))
        return;
    for (const struct group *group = m->groups; group; group = group->next)
        for (struct alert *alert = group->alerts; alert && group->route == route;
             alert = alert->next_in_group)
            flush.member_count++;
    if (!flush_open(&flush))
        return;
    for (const struct group *group = m->groups; group; group = group->next)
        for (struct alert *alert = group->alerts; alert && group->route == route;
             alert = alert->next_in_group)
            flush_add(m, &flush, alert);
    flush_send(m, &flush);
    clear(&m->rests[route]);
}

void rest_send(struct alert_manager *m)
{
    for (unsigned i = 0; i < m->plan->route_count; i++) {
        /* The soonest it can be, so that what is quiet costs nothing. */
        if (m->plan->routes[i].paced && is_due(m, i, NEVER))
            send_route(m, i);
    }
}
