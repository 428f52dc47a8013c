/* max_alerts_per_hour, and the digest of what it held back. */
#include "alert/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * (int64_t)NS_PER_SECOND)
/* One digest for what comes together, rather than one for the first of it. */
#define DIGEST_WAIT_NS (60 * (int64_t)NS_PER_SECOND)

static size_t limit_of(const struct alert_manager *m)
{
    return m->plan->config->alert_manager.max_alerts_per_hour;
}

bool limit_full(const struct alert_manager *m)
{
    size_t limit = limit_of(m);

    return m->sent_count >= limit && m->now - m->sent[m->sent_count - limit] < HOUR_NS;
}

void limit_count(struct alert_manager *m)
{
    size_t limit = limit_of(m), gone = 0;

    while (gone < m->sent_count &&
           (m->sent_count - gone >= limit || m->now - m->sent[gone] >= HOUR_NS))
        gone++;
    m->sent_count -= gone;
    if (gone)
        memmove(m->sent, m->sent + gone, m->sent_count * sizeof(*m->sent));
    if (m->sent_count == m->sent_capacity) {
        size_t capacity = m->sent_capacity ? 2 * m->sent_capacity : 16;
        int64_t *sent = realloc(m->sent, capacity * sizeof(*sent));

        /* Out of memory: one notification too many in this hour. */
        if (!sent)
            return;
        m->sent = sent;
        m->sent_capacity = capacity;
    }
    m->sent[m->sent_count++] = m->now;
}

void limit_hold(struct alert_manager *m, const char *rule, uint64_t fingerprint,
                enum severity severity, channel_set channels)
{
    if (m->held.total == 0)
        m->held_since = m->now;
    m->revision += held_add(&m->held, rule, fingerprint, severity);
    m->held_channels |= channels;
}

static int by_count(const void *a, const void *b)
{
    const struct digest_row *left = a, *right = b;

    if (left->severity != right->severity)
        return (int)right->severity - (int)left->severity;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return strcmp(left->rule, right->rule);
}

void limit_send_digest(struct alert_manager *m)
{
    struct digest_row rows[HELD_ROWS_MAX];
    struct notification notification = {
        .kind = NOTICE_DIGEST,
        .realtime_ns = m->realtime_ns,
        .rows = rows,
        .part = 1,
        .parts = 1,
    };

    if (m->held.total == 0 || m->now - m->held_since < DIGEST_WAIT_NS)
        return;
    for (size_t i = 0; i < m->held.row_count; i++) {
        const struct held_row *held = &m->held.rows[i];

        rows[notification.row_count++] =
            (struct digest_row){held->rule, held->severity, held->count};
        if (held->severity > notification.severity)
            notification.severity = held->severity;
    }
    /* A CRITICAL gets here only when there was no room for it as an alert of its own. */
    if (limit_full(m) && notification.severity != SEVERITY_CRITICAL)
        return;
    qsort(rows, notification.row_count, sizeof(rows[0]), by_count);
    notification.held_back = m->held.total;
    limit_count(m);
    m->digests++;
    m->revision++;
    for (size_t c = 0; c < m->plan->channel_count; c++) {
        uint64_t key = fnv_string(FNV_START, "digest");

        notification.channel = &m->plan->channels[c];
        if (!(m->held_channels >> c & 1) ||
            notification.severity < notification.channel->minimum_severity)
            continue;
        key = fnv_string(key, notification.channel->name);
        key = fnv_bytes(key, &m->digests, sizeof(m->digests));
        key = fnv_bytes(key, &m->held.total, sizeof(m->held.total));
        snprintf(notification.key, sizeof(notification.key), "mw-%016llx", (unsigned long long)key);
        m->counters.notifications[NOTICE_DIGEST]++;
        m->ops.notify(m->ops.ctx, &notification);
    }
    held_clear(&m->held);
    m->held_channels = 0;
    m->held_since = NEVER;
}
