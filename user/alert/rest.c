/* What may not be said at once is gathered and said in one notification of the whole route. */
#include "alert/engine.h"

/* Good news comes alone or all at once. */
#define GOOD_GATHER_NS (10 * (int64_t)NS_PER_SECOND)

/* Of what is told again: no rule has such a name. */
#define AGAIN " again"

static bool takes(const struct alert_manager *m, size_t channel, enum severity severity)
{
    const struct config_channel *config = &m->plan->channels[channel];

    return !channel_kinds[config->type].local && severity >= config->minimum_severity;
}

static bool lets_news(const struct alert_manager *m, const struct compiled_route *route,
                      const struct due *due)
{
    unsigned per_hour = m->plan->config->alert_manager.max_alerts_per_hour;

    for (size_t c = 0; c < m->plan->channel_count; c++)
        if ((route->channels >> c & 1) && takes(m, c, due->worst) &&
            !pace_is_open(&m->paces[c], per_hour, route->group_interval_ns, due->worst, due->rule,
                          m->now))
            return false;
    return true;
}

static bool lets_again(const struct alert_manager *m, const struct compiled_route *route)
{
    uint64_t again = fnv_string(FNV_START, AGAIN);

    for (size_t c = 0; c < m->plan->channel_count; c++)
        if (((route->channels | route->escalate_to) >> c & 1) &&
            pace_has_told(&m->paces[c], route->group_interval_ns, again, m->now))
            return false;
    return true;
}

static void wait_from(int64_t *since, int64_t now)
{
    if (*since == NEVER)
        *since = now;
}

bool rest_lets(struct alert_manager *m, const struct group *group, const struct due *due)
{
    const struct compiled_route *route = &m->plan->routes[group->route];
    struct rest *rest = &m->rests[group->route];
    int64_t *since = due->news ? &rest->since[due->worst] : &rest->good_since;

    if (!route->paced || !(route->channels & ~route->log) || (due->again && lets_again(m, route)))
        return true;
    if (due->news && (due->worst == SEVERITY_CRITICAL || *since == NEVER) &&
        lets_news(m, route, due))
        return true;
    if (due->again)
        wait_from(&rest->again_since, m->now);
    if (due->news || !due->again)
        wait_from(since, m->now);
    return false;
}

void rest_count(struct alert_manager *m, const struct flush *flush, enum list list,
                struct alert *const *alerts, size_t count, channel_set told)
{
    const struct compiled_route *route = &m->plan->routes[flush->group->route];
    bool again = list == LIST_ESCALATED || flush->repeats;

    for (size_t c = 0; route->paced && c < m->plan->channel_count; c++) {
        enum severity worst = SEVERITY_INFO;
        struct pace *pace = &m->paces[c];
        bool news = false;

        if (!(told >> c & 1))
            continue;
        for (size_t i = 0; i < count; i++) {
            enum severity severity = alert_severity(alerts[i]);

            if (!flush_is_news(list, alerts[i]) || !takes(m, c, severity))
                continue;
            news = true;
            worst = severity > worst ? severity : worst;
            pace_tell(pace, fnv_string(FNV_START, again ? AGAIN : alert_name(alerts[i])), m->now);
        }
        if (!news)
            continue;
        if (flush->joint)
            pace_gather(pace, route->group_interval_ns, m->now);
        else if (!again)
            pace_take(pace, m->plan->config->alert_manager.max_alerts_per_hour, worst, m->now);
    }
}

static bool is_over(const struct alert_manager *m, size_t index, int64_t since,
                    int64_t gathering_ns, enum severity severity)
{
    const struct compiled_route *route = &m->plan->routes[index];
    int64_t told_at = m->rests[index].told_at;

    if (since == NEVER || m->now - since < gathering_ns)
        return false;
    for (size_t c = 0; told_at != NEVER && c < m->plan->channel_count; c++)
        if ((route->channels >> c & 1) && takes(m, c, severity) &&
            m->now - told_at <
                pace_interval_ns(&m->paces[c], route->group_interval_ns, severity, m->now))
            return false;
    return true;
}

static bool is_due(const struct alert_manager *m, size_t index)
{
    const struct rest *rest = &m->rests[index];

    for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
        enum severity severity = (enum severity)s;

        if (is_over(m, index, rest->since[s], pace_gathering_ns(severity), severity))
            return true;
    }
    return is_over(m, index, rest->good_since, GOOD_GATHER_NS, SEVERITY_WARNING) ||
           is_over(m, index, rest->again_since, pace_gathering_ns(SEVERITY_WARNING),
                   SEVERITY_WARNING);
}

static void clear(struct rest *rest)
{
    for (unsigned severity = 0; severity < SEVERITY_COUNT; severity++)
        rest->since[severity] = NEVER;
    rest->good_since = rest->again_since = NEVER;
}

void rest_reset(struct alert_manager *m)
{
    for (size_t i = 0; i < m->plan->route_count; i++) {
        clear(&m->rests[i]);
        m->rests[i].told_at = NEVER;
    }
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
    if (!flush.group)
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
    m->rests[route].told_at = m->now;
}

void rest_send(struct alert_manager *m)
{
    for (size_t i = 0; i < m->plan->route_count; i++)
        if (m->plan->routes[i].paced && is_due(m, i))
            send_route(m, (unsigned)i);
}
