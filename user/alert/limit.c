/* max_alerts_per_hour: each severity has its own, so that warnings never use up what an error
 * needs, and of that no source takes more than half of what the others have left. */
#include "alert/engine.h"
#include "base/array.h"
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * (int64_t)NS_PER_SECOND)

static size_t limit_of(const struct alert_manager *m)
{
    return m->plan->config->alert_manager.max_alerts_per_hour;
}

/* In the last hour; `source` NULL: of all. */
static size_t sent_of(const struct alert_manager *m, enum severity severity, const uint64_t *source)
{
    size_t count = 0;

    for (size_t i = 0; i < m->sent_count; i++)
        count += m->sent[i].severity == severity && m->now - m->sent[i].at < HOUR_NS &&
                 (!source || m->sent[i].source == *source);
    return count;
}

bool limit_reached(const struct alert_manager *m, enum severity severity)
{
    return severity != SEVERITY_CRITICAL && sent_of(m, severity, NULL) >= limit_of(m);
}

bool limit_full(const struct alert_manager *m, enum severity severity, uint64_t source)
{
    size_t limit = limit_of(m), all, own;

    if (severity == SEVERITY_CRITICAL)
        return false;
    all = sent_of(m, severity, NULL);
    own = sent_of(m, severity, &source);
    return all >= limit || own >= (limit - (all - own) + 1) / 2;
}

void limit_add(struct alert_manager *m, const struct sent *added)
{
    size_t gone = 0, most = SEVERITY_COUNT * limit_of(m);

    while (gone < m->sent_count &&
           (m->sent_count - gone >= most || m->now - m->sent[gone].at >= HOUR_NS))
        gone++;
    m->sent_count -= gone;
    if (gone)
        memmove(m->sent, m->sent + gone, m->sent_count * sizeof(*m->sent));
    /* Out of memory: one notification too many in this hour. */
    if (!ARRAY_GROW(m->sent, m->sent_capacity, m->sent_count + 1))
        return;
    m->sent[m->sent_count++] = *added;
}

void limit_count(struct alert_manager *m, enum severity severity, uint64_t source)
{
    if (severity != SEVERITY_CRITICAL)
        limit_add(m, &(struct sent){m->now, source, severity});
}
