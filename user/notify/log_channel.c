/* The channel that needs no receiver: a line of the agent's log per alert. */
#include "alert/rule.h"
#include "base/text.h"
#include "notify/channel_driver.h"
#include "notify/message.h"

#define LABELS_SHOWN_BYTES 1024

static enum log_level level_of(enum severity severity)
{
    static const enum log_level levels[SEVERITY_COUNT] = {
        [SEVERITY_INFO] = LOG_LEVEL_INFO,
        [SEVERITY_WARNING] = LOG_LEVEL_WARNING,
        [SEVERITY_ERROR] = LOG_LEVEL_ERROR,
        [SEVERITY_CRITICAL] = LOG_LEVEL_CRITICAL,
    };

    return levels[severity];
}

static const char *say(const struct notification *n, const struct alert_view *alert)
{
    if (message_is_resolved(n, alert))
        return "Alert resolved";
    if (n->kind == NOTICE_FLAPPING)
        return "Alert flaps";
    return n->kind == NOTICE_ESCALATION ? "Alert escalated" : "Alert fires";
}

static void write_alert(struct log *log, const struct notification *n,
                        const struct alert_view *alert, struct text *labels)
{
    bool resolved = message_is_resolved(n, alert);
    enum log_level level = resolved ? LOG_LEVEL_INFO : level_of(alert->severity);

    text_reset(labels);
    for (size_t i = 0; i < labels_count(alert->labels); i++) {
        struct label pair = labels_at(alert->labels, i);

        text_printf(labels, "%s%s=%s", i ? "," : "", pair.name, pair.value);
    }
    LOG_AT(log, level, "alert_manager", say(n, alert),
           LOG_STRING("alert", message_alert_name(alert)), LOG_STRING("id", alert->id),
           LOG_STRING("severity", severity_text(alert->severity)),
           LOG_STRING("summary", alert->summary), LOG_STRING("reason", alert->reason),
           LOG_DOUBLE("value", alert->value), LOG_STRING("labels", labels->data),
           LOG_STRING("offenders", alert->offenders), LOG_STRING("changed", alert->changed),
           LOG_STRING("key", n->key));
}

struct notes {
    struct log *log;
    const struct notification *n;
};

static void write_note(void *ctx, const char *line)
{
    const struct notes *notes = ctx;

    LOG_AT(notes->log, level_of(notes->n->severity), "alert_manager", "Alerts",
           LOG_STRING("note", line), LOG_STRING("key", notes->n->key));
}

static void write_alerts(struct log *log, const struct notification *n)
{
    struct notes notes = {log, n};
    struct text labels;

    text_init(&labels, LABELS_SHOWN_BYTES);
    for (size_t i = 0; i < n->count; i++)
        write_alert(log, n, &n->alerts[i], &labels);
    text_free(&labels);
    message_notes(n, write_note, &notes);
}

const struct channel_driver channel_log = {.write = write_alerts};
