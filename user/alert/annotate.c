/* The texts of an alert: what is the matter, who is behind it, what changed before. */
#include "alert/engine.h"
#include "alert/template.h"
#include <stdlib.h>
#include <string.h>

#define ANNOTATION_BYTES_MAX 2048
/* In a storm nobody reads who was behind each of a thousand alerts, and finding out costs. */
#define EXPLAINED_MAX 256

static void replace(char **at, struct text *text)
{
    free(*at);
    *at = text->failed ? (text->data ? strdup(text->data) : NULL) : text_steal(text);
}

void annotate_set_reason(struct alert *alert, const char *reason)
{
    const char *known = alert->latest_reason ? alert->latest_reason : alert->reason;
    struct text clean;

    if (!reason || (known && strcmp(known, reason) == 0))
        return;
    text_init(&clean, ANNOTATION_BYTES_MAX);
    text_add_clean(&clean, reason);
    replace(&alert->latest_reason, &clean);
    text_free(&clean);
}

void annotate_take_reason(struct alert *alert)
{
    if (!alert->latest_reason)
        return;
    free(alert->reason);
    alert->reason = alert->latest_reason;
    alert->latest_reason = NULL;
}

static void say_summary(struct alert *alert)
{
    struct text text;

    if (!alert->rule || !alert->rule->config->summary)
        return;
    text_init(&text, ANNOTATION_BYTES_MAX);
    template_render(alert->rule->config->summary,
                    &(struct template_values){
                        .labels = alert->labels,
                        .severity = severity_text(alert_severity(alert)),
                        .value = alert->value,
                        .reason = alert->reason,
                    },
                    &text);
    replace(&alert->summary, &text);
    text_free(&text);
}

/* What happened is over: who is behind something now has nothing to do with it. */
static bool is_over(const struct alert *alert)
{
    return !alert->rule || alert->rule->config->kind == RULE_EVENT;
}

/* What cannot be said any more stays as it was said. */
static void say_rest(struct alert_manager *m, struct alert *alert, bool begins)
{
    struct text text, names;

    text_init(&text, ANNOTATION_BYTES_MAX);
    text_init(&names, ANNOTATION_BYTES_MAX);
    if (m->input->explain && (begins || !is_over(alert)))
        m->input->explain(m->input->ctx, alert->labels, &names);
    text_add_clean(&text, names.data ? names.data : "");
    text_free(&names);
    if (begins || text.len)
        replace(&alert->offenders, &text);
    text_reset(&text);
    changes_list(m, alert, &text);
    if (begins || text.len)
        replace(&alert->changed, &text);
    text_free(&text);
}

static void say(struct alert_manager *m, struct alert *alert, bool begins)
{
    annotate_take_reason(alert);
    say_summary(alert);
    if (m->count <= EXPLAINED_MAX)
        say_rest(m, alert, begins);
}

void annotate_begin(struct alert_manager *m, struct alert *alert)
{
    say(m, alert, true);
}

void annotate_again(struct alert_manager *m, struct alert *alert)
{
    say(m, alert, false);
}
