/* The episodes that are over, the latest so many. */
#include "alert/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void past_free(struct past *past)
{
    if (!past)
        return;
    labels_unref(past->labels);
    free(past->summary);
    free(past->reason);
    free(past->offenders);
    free(past->changed);
    free(past->acked_by);
    free(past->ack_comment);
    free(past);
}

/* What is empty takes no memory. */
static char *copy(const char *s)
{
    return s && *s ? strdup(s) : NULL;
}

void history_add(struct alert_manager *m, const struct alert_view *view)
{
    struct past *past = calloc(1, sizeof(*past));
    struct past **place;

    if (!past)
        return;
    *past = (struct past){
        .labels = labels_ref((struct labels *)view->labels),
        .severity = view->severity,
        .step = view->escalation_step,
        .value = view->value,
        .starts_realtime_ns = view->starts_realtime_ns,
        .ends_realtime_ns = view->ends_realtime_ns,
        .summary = copy(view->summary),
        .reason = copy(view->reason),
        .offenders = copy(view->offenders),
        .changed = copy(view->changed),
        .acked_by = view->acked_by ? strdup(view->acked_by) : NULL,
        .ack_comment = copy(view->ack_comment),
    };
    place = &m->past[m->past_count++ % HISTORY_MAX];
    past_free(*place);
    *place = past;
}

void history_clear(struct alert_manager *m)
{
    for (size_t i = 0; i < HISTORY_MAX; i++) {
        past_free(m->past[i]);
        m->past[i] = NULL;
    }
    m->past_count = 0;
}

size_t alert_manager_history_count(const struct alert_manager *m)
{
    return m->past_count < HISTORY_MAX ? m->past_count : HISTORY_MAX;
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

void alert_manager_history_at(const struct alert_manager *m, size_t index, struct alert_view *ret)
{
    const struct past *past = m->past[(m->past_count - 1 - index) % HISTORY_MAX];

    *ret = (struct alert_view){
        .state = ALERT_RESOLVED,
        .severity = past->severity,
        .escalation_step = past->step,
        .labels = past->labels,
        .value = past->value,
        .summary = or_empty(past->summary),
        .reason = or_empty(past->reason),
        .offenders = or_empty(past->offenders),
        .changed = or_empty(past->changed),
        .starts_realtime_ns = past->starts_realtime_ns,
        .ends_realtime_ns = past->ends_realtime_ns,
        .acked_by = past->acked_by,
        .ack_comment = past->acked_by ? or_empty(past->ack_comment) : NULL,
    };
    snprintf(ret->id, sizeof(ret->id), "%016llx",
             (unsigned long long)labels_fingerprint(past->labels));
}
