/* One notification of a kind for alerts of one group, or of all groups of a route. */
#include "alert/engine.h"
#include <stdlib.h>

static void put(struct flush *flush, enum list list, struct alert *alert)
{
    flush->lists[list][flush->counts[list]++] = alert;
}

/* A group that is told again is told whole. */
static bool is_repeated(const struct flush *flush, const struct alert *alert)
{
    return flush->repeats && alert->state == ALERT_FIRING && alert->told == TOLD_FIRING &&
           alert->suppressed == SUPPRESSED_NOT && !alert->flapping;
}

bool flush_open(struct flush *flush)
{
    size_t room = 2 * flush->member_count;

    flush->memory = calloc(LIST_COUNT * room, sizeof(struct alert *));
    for (size_t list = 0; flush->memory && list < LIST_COUNT; list++)
        flush->lists[list] = flush->memory + list * room;
    return flush->memory;
}

void flush_add(const struct alert_manager *m, struct flush *flush, struct alert *alert)
{
    switch (want_of(m, alert)) {
    case WANT_FIRING:
    case WANT_REPEAT:
    case WANT_RESOLVED:
        put(flush, LIST_CHANGED, alert);
        break;
    case WANT_FLAPPING:
        put(flush, LIST_FLAPPING, alert);
        break;
    case WANT_ESCALATION:
        put(flush, LIST_ESCALATED, alert);
        break;
    case WANT_NOTHING:
        if (is_repeated(flush, alert))
            put(flush, LIST_CHANGED, alert);
        break;
    }
}

static void remember(struct alert_manager *m, struct alert *alert, enum told told)
{
    m->revision++;
    alert->told = told;
    alert->told_at = m->now;
    alert->told_severity = alert->severity;
    alert->eased_at = NEVER;
    alert->flapping_told |= alert->flapping && told != TOLD_FIRING;
}

bool flush_is_news(enum list list, const struct alert *alert)
{
    return list == LIST_FLAPPING || alert->state == ALERT_FIRING;
}

/* On whose account a notification goes: its alerts' source, or else the group's own. */
static uint64_t source_of(const struct flush *flush, enum list list)
{
    uint64_t source = 0;

    for (size_t i = 0; i < flush->counts[list]; i++) {
        uint64_t one = origin_source(flush->lists[list][i]->labels);

        if (i > 0 && one != source)
            return flush->group->node.key;
        source = one;
    }
    return source;
}

static bool holds_critical(const struct flush *flush, enum list list)
{
    for (size_t i = 0; i < flush->counts[list]; i++)
        if (flush_is_news(list, flush->lists[list][i]) &&
            alert_severity(flush->lists[list][i]) == SEVERITY_CRITICAL)
            return true;
    return false;
}

/* Takes out of the list what max_alerts_per_hour does not let through. */
static void hold_back(struct alert_manager *m, struct flush *flush, enum list list)
{
    struct alert **alerts = flush->lists[list];
    const struct compiled_route *route = &m->plan->routes[flush->group->route];
    uint64_t source = source_of(flush, list);
    bool full[SEVERITY_COUNT];
    size_t kept = 0;

    /* The log is not held back, and where a CRITICAL is told anyway the rest of a storm makes no
     * more noise. */
    if (!(route->channels & ~route->log) || (flush->joint && holds_critical(flush, list)))
        return;

    for (unsigned severity = 0; severity < SEVERITY_COUNT; severity++)
        full[severity] = limit_full(m, (enum severity)severity, source);
    for (size_t i = 0; i < flush->counts[list]; i++) {
        struct alert *alert = alerts[i];

        if (!flush_is_news(list, alert) || !full[alert_severity(alert)] ||
            (alert->told == TOLD_FIRING && want_is_rise(alert))) {
            alerts[kept++] = alert;
            continue;
        }
        /* Only that it still fires was held back. */
        remember(m, alert,
                 list == LIST_CHANGED && alert->told == TOLD_FIRING ? TOLD_FIRING : TOLD_HELD);
        m->counters.held_back++;
        digest_hold(m, alert_name(alert), alert->node.key, alert->severity,
                    route->channels & ~route->log);
    }
    flush->counts[list] = kept;
}

static void count_news(struct alert_manager *m, const struct flush *flush, enum list list,
                       struct delivery *delivery)
{
    const struct compiled_route *route = &m->plan->routes[flush->group->route];
    enum severity worst = SEVERITY_INFO;
    bool news = false;

    for (size_t i = 0; i < delivery->count; i++) {
        const struct alert *alert = delivery->alerts[i];

        if (!flush_is_news(list, alert))
            continue;
        news = true;
        if (alert_severity(alert) > worst)
            worst = alert_severity(alert);
    }
    if (!news || list == LIST_ESCALATED || !(route->channels & ~route->log))
        return;
    limit_count(m, worst, source_of(flush, list));
    delivery->limit_reached = limit_reached(m, worst);
}

/* Whose labels the notification has. */
static struct group *group_of(const struct flush *flush, enum list list)
{
    struct group *group = flush->lists[list][0]->group;

    for (size_t i = 1; i < flush->counts[list]; i++)
        if (flush->lists[list][i]->group != group)
            return flush->group;
    return group;
}

static void send_list(struct alert_manager *m, struct flush *flush, enum list list,
                      enum notice_kind kind)
{
    const struct compiled_route *route = &m->plan->routes[flush->group->route];
    channel_set to = route->channels;
    struct group *group;
    struct delivery delivery = {
        .kind = kind,
        .alerts = flush->lists[list],
        .count = flush->counts[list],
    };

    if (delivery.count == 0)
        return;
    delivery.group = group = group_of(flush, list);
    for (size_t i = 0; i < delivery.count; i++)
        if (delivery.alerts[i]->state == ALERT_FIRING)
            annotate_again(m, delivery.alerts[i]);
    count_news(m, flush, list, &delivery);
    delivery.sequence = group->sequence++;
    flush->group->flushed_at = m->now;
    for (size_t i = 0; i < delivery.count; i++)
        delivery.alerts[i]->group->flushed_at = m->now;
    if (list == LIST_CHANGED)
        to &= ~route->log;
    else if (list == LIST_ESCALATED && route->escalate_to)
        to = route->escalate_to;
    to = deliver(m, &delivery, to);
    rest_count(m, flush, list, delivery.alerts, delivery.count, to);
}

static void send_changed(struct alert_manager *m, struct flush *flush)
{
    hold_back(m, flush, LIST_CHANGED);
    send_list(m, flush, LIST_CHANGED, NOTICE_FIRING);
    for (size_t i = 0; i < flush->counts[LIST_CHANGED]; i++) {
        struct alert *alert = flush->lists[LIST_CHANGED][i];

        if (alert->state == ALERT_RESOLVED) {
            m->revision++;
            alert->told = TOLD_RESOLVED;
            alert->told_channels &= m->plan->routes[flush->group->route].log;
            continue;
        }
        remember(m, alert, TOLD_FIRING);
        if (alert->escalated_at == NEVER)
            alert->escalated_at = m->now;
    }
}

static void send_flapping(struct alert_manager *m, struct flush *flush)
{
    hold_back(m, flush, LIST_FLAPPING);
    send_list(m, flush, LIST_FLAPPING, NOTICE_FLAPPING);
    for (size_t i = 0; i < flush->counts[LIST_FLAPPING]; i++)
        remember(m, flush->lists[LIST_FLAPPING][i], TOLD_FLAPPING);
}

static void send_escalated(struct alert_manager *m, struct flush *flush)
{
    for (size_t i = 0; i < flush->counts[LIST_ESCALATED]; i++) {
        struct alert *alert = flush->lists[LIST_ESCALATED][i];

        m->revision++;
        alert->step++;
        alert->escalated_at = m->now;
        m->counters.escalated++;
    }
    send_list(m, flush, LIST_ESCALATED, NOTICE_ESCALATION);
}

void flush_send(struct alert_manager *m, struct flush *flush)
{
    for (int list = 0; list < LIST_COUNT; list++)
        deliver_sort(flush->lists[list], flush->counts[list]);
    send_changed(m, flush);
    send_flapping(m, flush);
    send_escalated(m, flush);
    free(flush->memory);
}
