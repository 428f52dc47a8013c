/* From pending to firing to resolved, and what is said about it. */
#include "alert/engine.h"
#include "alert/template.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANNOTATION_BYTES_MAX 2048
/* In a storm nobody reads who was behind each of a thousand alerts, and finding out costs. */
#define EXPLAINED_MAX 256

const char *alert_state_text(enum alert_state s)
{
    static const char *const names[ALERT_STATE_COUNT] = {
        [ALERT_PENDING] = "pending", [ALERT_FIRING] = "firing", [ALERT_RESOLVED] = "resolved"};

    return (unsigned)s < ALERT_STATE_COUNT ? names[s] : "unknown";
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

void lifecycle_note(struct alert_manager *m, const char *format, ...)
{
    struct change *change = &m->recent[m->recent_count++ % CHANGES_KEPT];
    va_list args;

    m->revision++;
    change->at = m->now;
    va_start(args, format);
    vsnprintf(change->text, sizeof(change->text), format, args);
    va_end(args);
    change->text[utf8_valid_prefix(change->text, strlen(change->text))] = '\0';
}

/* What distinguishes an alert from others of its name: "HostDisk (check disk, subject /var)". */
static void name_alert(const struct alert *alert, struct text *out)
{
    const char *before = " (";

    text_add(out, alert_name(alert));
    for (size_t i = 0; i < labels_count(alert->labels); i++) {
        struct label_pair pair = labels_at(alert->labels, i);

        if (strcmp(pair.name, "alertname") == 0)
            continue;
        text_printf(out, "%s%s %s", before, pair.name, pair.value);
        before = ", ";
    }
    if (*before == ',')
        text_add_char(out, ')');
}

static void note_alert(struct alert_manager *m, const struct alert *alert, const char *what)
{
    struct text name;

    text_init(&name, CHANGE_BYTES - 24);
    name_alert(alert, &name);
    lifecycle_note(m, "%s %s", name.data ? name.data : "", what);
    text_free(&name);
}

/* Newest first, with their age. */
static void list_changes(const struct alert_manager *m, struct text *out)
{
    size_t kept = m->recent_count < CHANGES_KEPT ? m->recent_count : CHANGES_KEPT;

    for (size_t i = 1; i <= kept; i++) {
        const struct change *change = &m->recent[(m->recent_count - i) % CHANGES_KEPT];

        if (m->now - change->at > CHANGE_AGE_NS)
            return;
        text_printf(out, "%s%lld s before: %s", out->len ? "; " : "",
                    (long long)((m->now - change->at) / (int64_t)NS_PER_SECOND), change->text);
    }
}

static void replace(char **at, struct text *text)
{
    free(*at);
    *at = text->failed ? (text->data ? strdup(text->data) : NULL) : text_steal(text);
    text_free(text);
}

static void annotate(struct alert_manager *m, struct alert *alert)
{
    struct text text;

    text_init(&text, ANNOTATION_BYTES_MAX);
    if (alert->rule->config->summary) {
        template_render(alert->rule->config->summary,
                        &(struct template_values){
                            .labels = alert->labels,
                            .severity = severity_text(alert->severity),
                            .value = alert->value,
                            .reason = alert->reason,
                        },
                        &text);
        replace(&alert->summary, &text);
    }
    if (m->count > EXPLAINED_MAX)
        return;
    text_init(&text, ANNOTATION_BYTES_MAX);
    if (m->input->explain)
        m->input->explain(m->input->ctx, alert->labels, &text);
    replace(&alert->offenders, &text);
    text_init(&text, ANNOTATION_BYTES_MAX);
    list_changes(m, &text);
    replace(&alert->changed, &text);
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
    annotate(m, alert);
    remember_change(m, alert);
    note_alert(m, alert, "began to fire");
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
    note_alert(m, alert, "was resolved");
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
    bool owed = (alert->told == TOLD_FIRING || alert->told == TOLD_FLAPPING) &&
                alert->suppressed != SUPPRESSED_UNROUTED && m->plan->config->alert_manager.enabled;

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
