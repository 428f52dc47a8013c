/* Alerts into notifications: one list per channel, in parts of what a message can hold. */
#include "alert/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *notice_kind_text(enum notice_kind k)
{
    static const char *const names[NOTICE_KIND_COUNT] = {
        [NOTICE_FIRING] = "firing",         [NOTICE_RESOLVED] = "resolved",
        [NOTICE_FLAPPING] = "flapping",     [NOTICE_DIGEST] = "digest",
        [NOTICE_ESCALATION] = "escalation",
    };

    return (unsigned)k < NOTICE_KIND_COUNT ? names[k] : "unknown";
}

static bool is_resolved(const struct delivery *delivery, const struct alert *alert)
{
    return delivery->kind != NOTICE_FLAPPING && alert->state == ALERT_RESOLVED;
}

/* The same order whenever the same alerts are sent: what fires first, then the worst, the oldest.
 */
static int by_weight(const void *a, const void *b)
{
    const struct alert *left = *(struct alert *const *)a, *right = *(struct alert *const *)b;
    bool left_over = left->state == ALERT_RESOLVED, right_over = right->state == ALERT_RESOLVED;

    if (left_over != right_over)
        return left_over - right_over;
    if (alert_severity(left) != alert_severity(right))
        return (int)alert_severity(right) - (int)alert_severity(left);
    if (left->fired_at != right->fired_at)
        return left->fired_at < right->fired_at ? -1 : 1;
    return (left->node.key > right->node.key) - (left->node.key < right->node.key);
}

void deliver_sort(struct alert **alerts, size_t count)
{
    qsort(alerts, count, sizeof(struct alert *), by_weight);
}

static bool is_for(const struct alert_manager *m, const struct delivery *delivery,
                   const struct alert *alert, size_t channel, channel_set to)
{
    if (is_resolved(delivery, alert))
        return alert->told_channels >> channel & 1;
    return (to >> channel & 1) &&
           alert_severity(alert) >= m->plan->channels[channel].minimum_severity;
}

static void make_key(struct notification *n, const struct delivery *delivery)
{
    uint64_t key = fnv_string(FNV_START, notice_kind_text(n->kind));

    key = fnv_string(key, n->channel->name);
    key = fnv_bytes(key, &delivery->group->node.key, sizeof(delivery->group->node.key));
    key = fnv_bytes(key, &delivery->sequence, sizeof(delivery->sequence));
    key = fnv_bytes(key, &n->part, sizeof(n->part));
    for (size_t i = 0; i < n->count; i++) {
        key = fnv_string(key, n->alerts[i].id);
        /* A group that was forgotten begins to count again. */
        key = fnv_bytes(key, &n->alerts[i].starts_realtime_ns,
                        sizeof(n->alerts[i].starts_realtime_ns));
        key = fnv_bytes(key, &n->alerts[i].state, sizeof(n->alerts[i].state));
        key = fnv_bytes(key, &n->alerts[i].severity, sizeof(n->alerts[i].severity));
    }
    snprintf(n->key, sizeof(n->key), "mw-%016llx", (unsigned long long)key);
}

static void send_part(struct alert_manager *m, struct notification *n,
                      const struct delivery *delivery, channel_set channel, struct alert **listed)
{
    struct alert_view views[NOTICE_ALERTS_MAX];
    bool any_firing = false;

    n->alerts = views;
    n->severity = SEVERITY_INFO;
    for (size_t i = 0; i < n->count; i++) {
        alert_fill_view(m, listed[i], &views[i]);
        any_firing |= !is_resolved(delivery, listed[i]);
        if (views[i].severity > n->severity)
            n->severity = views[i].severity;
        listed[i]->told_channels |= channel;
    }
    n->kind = delivery->kind;
    if (delivery->kind == NOTICE_FIRING && !any_firing)
        n->kind = NOTICE_RESOLVED;
    make_key(n, delivery);
    m->counters.notifications[n->kind]++;
    m->ops.notify(m->ops.ctx, n);
}

static bool deliver_to(struct alert_manager *m, const struct delivery *delivery, size_t channel,
                       channel_set to, struct alert **list)
{
    struct notification n = {
        .channel = &m->plan->channels[channel],
        .group = delivery->group->labels,
        .realtime_ns = m->realtime_ns,
        .limit_reached = delivery->limit_reached,
    };
    size_t count = 0, criticals = 0;

    for (size_t i = 0; i < delivery->count; i++) {
        if (!is_for(m, delivery, delivery->alerts[i], channel, to))
            continue;
        criticals += alert_severity(delivery->alerts[i]) == SEVERITY_CRITICAL &&
                     !is_resolved(delivery, delivery->alerts[i]);
        list[count++] = delivery->alerts[i];
    }
    if (count == 0)
        return false;
    n.parts = criticals ? (unsigned)((criticals + NOTICE_ALERTS_MAX - 1) / NOTICE_ALERTS_MAX) : 1;
    for (n.part = 1; n.part <= n.parts; n.part++) {
        size_t from = (size_t)(n.part - 1) * NOTICE_ALERTS_MAX;

        n.count = count - from < NOTICE_ALERTS_MAX ? count - from : NOTICE_ALERTS_MAX;
        n.omitted = n.part == n.parts ? count - from - n.count : 0;
        send_part(m, &n, delivery, (channel_set)1 << channel, list + from);
        /* Those that are left out were counted in the message. */
        for (size_t i = 0; i < n.omitted; i++)
            list[from + n.count + i]->told_channels |= (channel_set)1 << channel;
    }
    return true;
}

channel_set deliver(struct alert_manager *m, const struct delivery *delivery, channel_set to)
{
    struct alert **list = delivery->alerts + delivery->count;
    channel_set told = 0;

    for (size_t c = 0; c < m->plan->channel_count; c++)
        if (deliver_to(m, delivery, c, to, list))
            told |= (channel_set)1 << c;
    return told;
}
