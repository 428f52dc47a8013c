/* What has to be said about which alert now, group by group. */
#include "alert/engine.h"

static void note_due(struct due *due, const struct alert *alert, enum want want)
{
    due->any = true;
    due->repeats |= want == WANT_REPEAT;
    due->again |= want == WANT_REPEAT || want == WANT_ESCALATION;
    if ((want != WANT_FIRING && want != WANT_FLAPPING) ||
        (due->news && alert->severity < due->worst))
        return;
    due->news = true;
    due->worst = alert->severity;
    due->rule = fnv_string(FNV_START, alert_name(alert));
}

static struct due look(const struct alert_manager *m, const struct group *group)
{
    struct due due = {0};

    for (const struct alert *alert = group->alerts; alert; alert = alert->next_in_group) {
        enum want want = want_of(m, alert);

        due.member_count++;
        if (want != WANT_NOTHING && want_is_ready(m, alert, want))
            note_due(&due, alert, want);
    }
    return due;
}

static void flush_group(struct alert_manager *m, struct group *group)
{
    struct due due = look(m, group);
    struct flush flush = {.group = group, .repeats = due.repeats, .member_count = due.member_count};

    if (!due.any || !rest_lets(m, group, &due) || !flush_open(&flush))
        return;
    for (struct alert *alert = group->alerts; alert; alert = alert->next_in_group)
        flush_add(m, &flush, alert);
    flush_send(m, &flush);
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
    for (struct group *group = m->groups; group; group = group->next) {
        journal_group(m, group);
        flush_group(m, group);
    }
    rest_send(m);
    digest_send(m);
    group_collect(m);
}
