/* What has to be said about which alert now, group by group. */
#include "alert/engine.h"
#include <stdlib.h>
#include <string.h>

/* Which lists a flush has; a firing and a resolved alert go into one notification. */
enum list { LIST_CHANGED, LIST_FLAPPING, LIST_ESCALATED, LIST_COUNT };

struct flush {
    struct group *group;
    bool repeats;
    size_t member_count;
    size_t counts[LIST_COUNT];
    struct alert **lists[LIST_COUNT]; /* each has room for twice the members: deliver() needs it */
    struct alert **memory;
};

static bool is_due(const struct alert_manager *m, struct flush *flush)
{
    bool due = false;

    for (const struct alert *alert = flush->group->alerts; alert; alert = alert->next_in_group) {
        enum want want = want_of(m, alert);

        flush->member_count++;
        if (want == WANT_NOTHING || !want_is_ready(m, alert, want))
            continue;
        due = true;
        flush->repeats |= want == WANT_REPEAT;
    }
    return due;
}

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

static void fill_lists(const struct alert_manager *m, struct flush *flush)
{
    for (struct alert *alert = flush->group->alerts; alert; alert = alert->next_in_group) {
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
    for (int list = 0; list < LIST_COUNT; list++)
        deliver_sort(flush->lists[list], flush->counts[list]);
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

/* Whether the alert makes noise: good news is not counted, and follows only what was told. */
static bool is_news(enum list list, const struct alert *alert)
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

/* Takes out of the list what max_alerts_per_hour does not let through. */
static void hold_back(struct alert_manager *m, struct flush *flush, enum list list)
{
    struct alert **alerts = flush->lists[list];
    uint64_t source = source_of(flush, list);
    bool full[SEVERITY_COUNT];
    size_t kept = 0;

    for (unsigned severity = 0; severity < SEVERITY_COUNT; severity++)
        full[severity] = limit_full(m, (enum severity)severity, source);
    for (size_t i = 0; i < flush->counts[list]; i++) {
        struct alert *alert = alerts[i];

        if (!is_news(list, alert) || !full[alert_severity(alert)] ||
            (alert->told == TOLD_FIRING && want_is_rise(alert))) {
            alerts[kept++] = alert;
            continue;
        }
        remember(m, alert, TOLD_HELD);
        m->counters.held_back++;
        digest_hold(m, alert_name(alert), alert->node.key, alert->severity,
                    m->plan->routes[flush->group->route].channels);
    }
    flush->counts[list] = kept;
}

static void count_news(struct alert_manager *m, const struct flush *flush, enum list list,
                       struct delivery *delivery)
{
    enum severity worst = SEVERITY_INFO;
    bool news = false;

    for (size_t i = 0; i < delivery->count; i++) {
        const struct alert *alert = delivery->alerts[i];

        if (!is_news(list, alert))
            continue;
        news = true;
        if (alert_severity(alert) > worst)
            worst = alert_severity(alert);
    }
    if (!news || list == LIST_ESCALATED)
        return;
    limit_count(m, worst, source_of(flush, list));
    delivery->limit_reached = limit_reached(m, worst);
}

static void send_list(struct alert_manager *m, struct flush *flush, enum list list,
                      enum notice_kind kind)
{
    const struct route *route = &m->plan->routes[flush->group->route];
    struct delivery delivery = {
        .kind = kind,
        .group = flush->group,
        .alerts = flush->lists[list],
        .count = flush->counts[list],
    };

    if (delivery.count == 0)
        return;
    for (size_t i = 0; i < delivery.count; i++)
        if (delivery.alerts[i]->state == ALERT_FIRING)
            annotate_again(m, delivery.alerts[i]);
    count_news(m, flush, list, &delivery);
    delivery.sequence = flush->group->sequence++;
    flush->group->flushed_at = m->now;
    deliver(m, &delivery,
            list == LIST_ESCALATED && route->escalate_to ? route->escalate_to : route->channels);
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
            alert->told_channels = 0;
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

static void flush_group(struct alert_manager *m, struct group *group)
{
    struct flush flush = {.group = group};
    size_t room;

    if (!group->alerts || !is_due(m, &flush))
        return;
    room = 2 * flush.member_count;
    flush.memory = calloc(LIST_COUNT * room, sizeof(struct alert *));
    /* Out of memory: nothing is marked as told, so the next tick tries again. */
    if (!flush.memory)
        return;
    for (size_t list = 0; list < LIST_COUNT; list++)
        flush.lists[list] = flush.memory + list * room;
    fill_lists(m, &flush);
    send_changed(m, &flush);
    send_flapping(m, &flush);
    send_escalated(m, &flush);
    free(flush.memory);
}

static void count_suppression(struct alert_manager *m, enum suppression reason)
{
    uint64_t *const counters[SUPPRESSION_COUNT] = {
        [SUPPRESSED_COOLDOWN] = &m->counters.cooled_down,
        [SUPPRESSED_SILENCE] = &m->counters.silenced,
        [SUPPRESSED_MUTE] = &m->counters.muted,
        [SUPPRESSED_INHIBIT] = &m->counters.inhibited,
        [SUPPRESSED_UNROUTED] = &m->counters.unrouted,
    };

    if (counters[reason])
        (*counters[reason])++;
}

static void judge_suppression(struct alert_manager *m, struct alert *alert)
{
    enum suppression reason;

    if (alert->state == ALERT_PENDING) {
        alert->suppressed = SUPPRESSED_NOT;
        return;
    }
    if (!alert->group && group_join(m, alert) < 0)
        return;
    reason = suppress_reason(m, alert);
    if (reason != alert->suppressed)
        count_suppression(m, reason);
    alert->suppressed = reason;
}

void notify_all(struct alert_manager *m)
{
    suppress_prepare(m);
    for (struct alert *alert = m->alerts; alert; alert = alert->next)
        judge_suppression(m, alert);
    if (!m->plan->config->alert_manager.enabled)
        return;
    for (struct group *group = m->groups; group; group = group->next)
        flush_group(m, group);
    digest_send(m);
    group_collect(m);
}
