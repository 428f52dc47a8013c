/* From pending to firing to resolved, and what is said about it. */
#include "alert/engine.h"
#include "base/names.h"
#include <stdio.h>
#include <stdlib.h>

const char *const alert_state_names[] = {
    [ALERT_PENDING] = "pending",
    [ALERT_FIRING] = "firing",
    [ALERT_RESOLVED] = "resolved",
    NULL,
};
NAMES_OF(alert_state_names, ALERT_STATE_COUNT);

const char *alert_state_text(enum alert_state s)
{
    return name_at(alert_state_names, ALERT_STATE_COUNT, s);
}

const char *alert_name(const struct alert *alert)
{
    return labels_get(alert->labels, "alertname");
}

enum severity alert_severity(const struct alert *alert)
{
    unsigned severity = (unsigned)alert->severity + alert->step;

    return severity < SEVERITY_CRITICAL ? (enum severity)severity : SEVERITY_CRITICAL;
}

bool lifecycle_acked(const struct alert_manager *m, const struct alert *alert)
{
    return alert->acked_until != NEVER && m->now < alert->acked_until;
}

static unsigned recent_changes(const struct alert_manager *m, const struct alert *alert)
{
    unsigned recent = 0;

    for (size_t i = 0; i < FLAPPING_CHANGES_MAX; i++)
        recent +=
            alert->changes[i] != NEVER && m->now - alert->changes[i] < m->plan->flapping_window_ns;
    return recent;
}

/* Nagios weighs the changes of state in a window of checks against two thresholds
 * (https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/flapping.html). Here the
 * window is time, since alerts change at any time, and stability is a whole window without a
 * change, which is what the operator can be told. */
static void remember_change(struct alert_manager *m, struct alert *alert)
{
    alert->changes[alert->change_count++ % FLAPPING_CHANGES_MAX] = m->now;
    if (alert->flapping ||
        recent_changes(m, alert) < m->plan->config->alert_manager.flapping_changes)
        return;
    alert->flapping = true;
    m->counters.flapping++;
}

static void fire(struct alert_manager *m, struct alert *alert)
{
    alert->state = ALERT_FIRING;
    alert->fired_at = m->now;
    alert->resolved_at = NEVER;
    alert->starts_realtime_ns = m->realtime_ns;
    alert->ends_realtime_ns = 0;
    alert->episode++;
    alert->step = 0;
    alert->escalated_at = NEVER;
    /* What was held back was the episode before, unless it is all one flapping. */
    if (alert->told == TOLD_HELD && !alert->flapping)
        alert->told = TOLD_NOTHING;
    annotate_begin(m, alert);
    remember_change(m, alert);
    changes_note_alert(m, alert, "began to fire");
    m->counters.fired++;
}

static void resolve(struct alert_manager *m, struct alert *alert)
{
    struct alert_view view;

    alert->state = ALERT_RESOLVED;
    alert->resolved_at = m->now;
    alert->ends_realtime_ns = m->realtime_ns;
    alert_fill_view(m, alert, &view);
    history_add(m, &view);
    alert->active_since = NEVER;
    alert->acked_until = NEVER;
    free(alert->acked_by);
    free(alert->ack_comment);
    alert->acked_by = alert->ack_comment = NULL;
    remember_change(m, alert);
    changes_note_alert(m, alert, "was resolved");
    m->counters.resolved++;
}

static void drop_pending(struct alert_manager *m, struct alert *alert)
{
    if (alert->episode == 0) {
        registry_remove(m, alert);
        return;
    }
    alert->state = ALERT_RESOLVED;
    alert->active_since = NEVER;
    m->revision++;
    /* A damaged state may have lost it. */
    if (alert->resolved_at == NEVER)
        alert->resolved_at = m->now;
}

static void advance_pending(struct alert_manager *m, struct alert *alert)
{
    const struct rule *rule = alert->rule;

    bool over;

    if (rule && alert->last_active == m->now) {
        if (m->now - alert->active_since >= rule->for_ns)
            fire(m, alert);
        return;
    }
    if (rule && rule->config->kind == RULE_EVENT)
        over = m->now - alert->events[0] >= rule->within_ns;
    else
        over = !rule || alert->last_seen == m->now || m->now - alert->last_seen >= STALE_NS;
    if (over)
        drop_pending(m, alert);
}

static void advance_firing(struct alert_manager *m, struct alert *alert)
{
    const struct rule *rule = alert->rule;

    bool over;

    if (rule && alert->last_active == m->now)
        return;
    if (rule && (alert->last_seen == m->now || rule->config->kind == RULE_EVENT))
        over = m->now - alert->last_active >= rule->keep_ns;
    else
        over = !rule || m->now - alert->last_seen >= STALE_NS;
    if (over)
        resolve(m, alert);
}

/* A resolved alert is remembered for the cooldown and for flapping. */
static void advance_resolved(struct alert_manager *m, struct alert *alert)
{
    bool owed = want_is_owed(m, alert) && alert->suppressed != SUPPRESSED_UNROUTED &&
                m->plan->config->alert_manager.enabled;

    if (owed || alert->flapping || m->now - alert->resolved_at < m->plan->flapping_window_ns ||
        (alert->told_at != NEVER && m->now - alert->told_at < m->plan->cooldown_ns))
        return;
    registry_remove(m, alert);
}

void lifecycle_advance(struct alert_manager *m)
{
    static void (*const advance[ALERT_STATE_COUNT])(struct alert_manager *, struct alert *) = {
        [ALERT_PENDING] = advance_pending,
        [ALERT_FIRING] = advance_firing,
        [ALERT_RESOLVED] = advance_resolved,
    };
    struct alert *next;

    for (struct alert *alert = m->alerts; alert; alert = next) {
        next = alert->next;
        /* An ack that ran out starts the clock of escalation again. */
        if (alert->acked_until != NEVER && !lifecycle_acked(m, alert)) {
            alert->acked_until = NEVER;
            alert->escalated_at = m->now;
            m->revision++;
        }
        if (alert->flapping && recent_changes(m, alert) == 0)
            alert->flapping = alert->flapping_told = false;
        /* Better for a whole cooldown: getting worse again is news. */
        if (alert->state == ALERT_FIRING && alert->eased_at != NEVER &&
            m->now - alert->eased_at >= m->plan->cooldown_ns) {
            alert->told_severity = alert->severity;
            alert->eased_at = NEVER;
        }
        advance[alert->state](m, alert);
    }
}

static uint64_t acked_until_realtime(const struct alert_manager *m, const struct alert *alert)
{
    if (!lifecycle_acked(m, alert) || alert->acked_until == INT64_MAX)
        return 0;
    return m->realtime_ns + (uint64_t)(alert->acked_until - m->now);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

void alert_fill_view(const struct alert_manager *m, const struct alert *alert,
                     struct alert_view *ret)
{
    *ret = (struct alert_view){
        .labels = alert->labels,
        .severity = alert_severity(alert),
        .state = alert->state,
        .flapping = alert->flapping,
        .suppressed = suppress_shown(m, alert),
        .value = alert->value,
        .summary = or_empty(alert->summary),
        .reason = or_empty(alert->reason),
        .offenders = or_empty(alert->offenders),
        .changed = or_empty(alert->changed),
        .starts_realtime_ns = alert->state == ALERT_PENDING ? 0 : alert->starts_realtime_ns,
        .ends_realtime_ns = alert->state == ALERT_RESOLVED ? alert->ends_realtime_ns : 0,
        .acked_by = lifecycle_acked(m, alert) ? alert->acked_by : NULL,
        .ack_comment = lifecycle_acked(m, alert) ? alert->ack_comment : NULL,
        .acked_until_realtime_ns = acked_until_realtime(m, alert),
        .escalation_step = alert->step,
    };
    snprintf(ret->id, sizeof(ret->id), "%016llx", (unsigned long long)alert->node.key);
}
