/* Why an alert that fires is not told: silences, mute windows, inhibition. */
#include "alert/engine.h"
#include "base/array.h"
#include "base/names.h"
#include <stdlib.h>

const char *const suppression_names[] = {
    [SUPPRESSED_NOT] = "",
    [SUPPRESSED_FLAPPING] = "flapping",
    [SUPPRESSED_ACKED] = "acked",
    [SUPPRESSED_COOLDOWN] = "cooldown",
    [SUPPRESSED_SILENCE] = "silence",
    [SUPPRESSED_MUTE] = "mute_window",
    [SUPPRESSED_INHIBIT] = "inhibited",
    [SUPPRESSED_UNROUTED] = "unrouted",
    [SUPPRESSED_OFF] = "notifications_off",
    [SUPPRESSED_GROUP] = "group_wait",
    [SUPPRESSED_LIMIT] = "max_alerts_per_hour",
    [SUPPRESSED_CHANNEL] = "no_channel",
    [SUPPRESSED_DELIVERY] = "not_delivered",
    NULL,
};
NAMES_OF(suppression_names, SUPPRESSION_COUNT);

const char *suppression_text(enum suppression s)
{
    return name_at(suppression_names, SUPPRESSION_COUNT, s);
}

static uint64_t equal_hash(const struct inhibit *inhibit, const struct alert *alert)
{
    uint64_t hash = FNV_START;

    for (size_t i = 0; i < inhibit->config->equal.count; i++)
        hash = fnv_string(hash, labels_get(alert->labels, inhibit->config->equal.items[i]));
    return hash;
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void add_source(struct alert_manager *m, size_t index, uint64_t hash)
{
    /* Out of memory: an alert too many is told. */
    if (!ARRAY_GROW(m->sources[index].hashes, m->sources[index].capacity,
                    m->sources[index].count + 1))
        return;
    m->sources[index].hashes[m->sources[index].count++] = hash;
}

static void find_sources(struct alert_manager *m)
{
    for (size_t i = 0; i < m->plan->inhibit_count; i++) {
        const struct inhibit *inhibit = &m->plan->inhibits[i];

        m->sources[i].count = 0;
        for (const struct alert *alert = m->alerts; alert; alert = alert->next)
            if (alert->state == ALERT_FIRING &&
                matchers_match(inhibit->source, alert->labels, severity_text(alert->severity)))
                add_source(m, i, equal_hash(inhibit, alert));
        if (m->sources[i].count > 0)
            qsort(m->sources[i].hashes, m->sources[i].count, sizeof(uint64_t), by_value);
    }
    m->sources_ready = true;
}

void suppress_prepare(struct alert_manager *m)
{
    m->sources_ready = false;
    m->silence_left_ns = SILENCES_CPU_NS;
}

static bool is_inhibited(struct alert_manager *m, const struct alert *alert)
{
    const char *severity = severity_text(alert->severity);

    if (!m->sources_ready && m->plan->inhibit_count)
        find_sources(m);
    for (size_t i = 0; i < m->plan->inhibit_count; i++) {
        const struct inhibit *inhibit = &m->plan->inhibits[i];
        uint64_t hash;

        if (m->sources[i].count == 0 || !matchers_match(inhibit->target, alert->labels, severity))
            continue;
        /* As in Alertmanager, what is both is not inhibited, or it would inhibit itself. */
        if (matchers_may_match(inhibit->source, alert->labels, severity))
            continue;
        hash = equal_hash(inhibit, alert);
        if (bsearch(&hash, m->sources[i].hashes, m->sources[i].count, sizeof(hash), by_value))
            return true;
    }
    return false;
}

static bool is_silenced(struct alert_manager *m, const struct alert *alert)
{
    for (size_t i = 0; i < m->silence_count; i++) {
        const struct silence *silence = &m->silences[i];

        if (m->realtime_ns >= silence->start_ns && m->realtime_ns < silence->end_ns &&
            matchers_match_within(silence->matchers, alert->labels, severity_text(alert->severity),
                                  &m->silence_left_ns))
            return true;
    }
    return false;
}

static bool is_muted(const struct alert_manager *m, const struct alert *alert)
{
    for (size_t i = 0; i < m->plan->mute_count; i++) {
        const struct mute *mute = &m->plan->mutes[i];

        if (mute_is_on(mute, m->realtime_ns) &&
            matchers_match(mute->match, alert->labels, severity_text(alert->severity)))
            return true;
    }
    return false;
}

/* An alert that came back within the cooldown of its last notice, and is no worse than it was. */
static bool cools_down(const struct alert_manager *m, const struct alert *alert)
{
    return alert->state == ALERT_FIRING && alert->told == TOLD_RESOLVED &&
           alert->severity != SEVERITY_CRITICAL && alert->severity <= alert->told_severity &&
           m->now - alert->told_at < m->plan->cooldown_ns;
}

/* That it flaps was told. What is worse than that is told all the same, and a CRITICAL that fires
 * when a cooldown has passed: it may be one that stays. */
static bool only_flaps(const struct alert_manager *m, const struct alert *alert)
{
    if (!alert->flapping || !alert->flapping_told)
        return false;
    if (alert->state != ALERT_FIRING)
        return true;
    return !want_is_rise(alert) &&
           (alert->severity != SEVERITY_CRITICAL || m->now - alert->told_at < m->plan->cooldown_ns);
}

enum suppression suppress_reason(struct alert_manager *m, const struct alert *alert)
{
    if (!m->plan->config->alert_manager.enabled)
        return SUPPRESSED_OFF;
    if (!alert->group)
        return SUPPRESSED_UNROUTED;
    if (only_flaps(m, alert))
        return SUPPRESSED_FLAPPING;
    if (is_silenced(m, alert))
        return SUPPRESSED_SILENCE;
    if (is_muted(m, alert))
        return SUPPRESSED_MUTE;
    if (is_inhibited(m, alert))
        return SUPPRESSED_INHIBIT;
    if (lifecycle_acked(m, alert) &&
        (alert->told == TOLD_NOTHING || alert->severity <= alert->told_severity))
        return SUPPRESSED_ACKED;
    if (cools_down(m, alert))
        return SUPPRESSED_COOLDOWN;
    return SUPPRESSED_NOT;
}

static channel_set reach_of(const struct alert_manager *m, const struct alert *alert)
{
    const struct compiled_route *route = &m->plan->routes[alert->group->route];
    channel_set reach = alert->told_channels;

    for (size_t c = 0; c < m->plan->channel_count; c++)
        if (alert_severity(alert) >= m->plan->channels[c].minimum_severity)
            reach |= route->channels & (channel_set)1 << c;
    return reach;
}

static bool waits_everywhere(const struct alert_manager *m, const struct alert *alert)
{
    uint64_t told_realtime_ns = m->realtime_ns - (uint64_t)(m->now - alert->told_at);
    channel_set told = alert->told_channels;

    for (size_t c = 0; c < m->plan->channel_count && told; c++)
        if ((told >> c & 1) && !m->ops.waits(m->ops.ctx, &m->plan->channels[c], told_realtime_ns))
            return false;
    return told != 0;
}

enum suppression suppress_shown(const struct alert_manager *m, const struct alert *alert)
{
    if (alert->suppressed != SUPPRESSED_NOT || alert->state != ALERT_FIRING || !alert->group)
        return alert->suppressed;
    if (alert->told == TOLD_HELD)
        return m->digested_at == NEVER || m->digested_at < alert->told_at ? SUPPRESSED_LIMIT
                                                                          : SUPPRESSED_NOT;
    if (!reach_of(m, alert))
        return SUPPRESSED_CHANNEL;
    if (want_of(m, alert) == WANT_FIRING &&
        (reach_of(m, alert) & ~m->plan->routes[alert->group->route].log))
        return SUPPRESSED_GROUP;
    if (m->ops.waits && alert->told == TOLD_FIRING && waits_everywhere(m, alert))
        return SUPPRESSED_DELIVERY;
    return SUPPRESSED_NOT;
}
