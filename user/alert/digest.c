/* The digest of what max_alerts_per_hour held back. */
#include "alert/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One digest for what comes together, rather than one for the first of it. */
#define DIGEST_WAIT_NS (60 * (int64_t)NS_PER_SECOND)
/* Between two digests, by the worst that is in the next. */
static const int64_t intervals_ns[SEVERITY_COUNT] = {
    [SEVERITY_INFO] = 3600 * (int64_t)NS_PER_SECOND,
    [SEVERITY_WARNING] = 900 * (int64_t)NS_PER_SECOND,
    [SEVERITY_ERROR] = 300 * (int64_t)NS_PER_SECOND,
    /* Gets here only when there was no room for it as an alert of its own. */
    [SEVERITY_CRITICAL] = DIGEST_WAIT_NS,
};

void digest_hold(struct alert_manager *m, const char *rule, uint64_t fingerprint,
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

static bool is_due(const struct alert_manager *m, enum severity worst)
{
    return m->held.total > 0 && m->now - m->held_since >= DIGEST_WAIT_NS &&
           (m->digested_at == NEVER || m->now - m->digested_at >= intervals_ns[worst]);
}

void digest_send(struct alert_manager *m)
{
    struct digest_row rows[HELD_ROWS_MAX];
    struct notification notification = {
        .kind = NOTICE_DIGEST,
        .realtime_ns = m->realtime_ns,
        .rows = rows,
        .part = 1,
        .parts = 1,
    };

    for (size_t i = 0; i < m->held.row_count; i++) {
        const struct held_row *held = &m->held.rows[i];

        rows[notification.row_count++] =
            (struct digest_row){held->rule, held->severity, held->count};
        if (held->severity > notification.severity)
            notification.severity = held->severity;
    }
    if (!is_due(m, notification.severity))
        return;
    qsort(rows, notification.row_count, sizeof(rows[0]), by_count);
    notification.held_back = m->held.total;
    m->digests++;
    m->digested_at = m->now;
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
