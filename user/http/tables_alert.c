/* How alerts and silences read in JSON. */
#include "alert/rule.h"
#include "config/choices.h"
#include "facts/tables.h"
#include "http/alerts.h"

const struct route_query alert_queries[] = {
    {"state", "only alerts in this state", "string", alert_state_names},
    {"severity", "only alerts of this severity", "string", severity_names},
    {"alertname", "only alerts of this rule", "string", NULL},
    {"matcher", "only alerts that these matchers match, as severity=~\"error|critical\"", "string",
     NULL},
    {"since",
     "only alerts that began, began to fire or were resolved at or after this time (RFC "
     "3339 or seconds since 1970); pending ones always",
     "string", NULL},
    {"limit",
     "so many alerts and so many of the history at most (default 100), and what 256 KiB hold",
     "integer", NULL},
    {0},
};

static const char *name_of(struct field_text *text)
{
    return labels_get(((const struct alert_view *)text->object)->labels, "alertname");
}

static const char *state_of(struct field_text *text)
{
    return alert_state_text(((const struct alert_view *)text->object)->state);
}

static const char *severity_of(struct field_text *text)
{
    return severity_text(((const struct alert_view *)text->object)->severity);
}

static const char *suppression_of(struct field_text *text)
{
    const struct alert_view *view = text->object;

    return view->suppressed == SUPPRESSED_NOT ? NULL : suppression_text(view->suppressed);
}

#define TYPE struct alert_view
static const struct field alert_fields[] = {
    ROW("id", FIELD_CHARS, id, .about = "of its labels: the same whenever it comes again"),
    COMPUTED("alertname", name_of, .about = "the rule's"),
    COMPUTED("state", state_of, .choices = alert_state_names),
    COMPUTED("severity", severity_of, .choices = severity_names,
             .about = "with the steps of escalation"),
    ROW("labels", FIELD_LABELS, labels),
    ROW("value", FIELD_DOUBLE, value, .decimals = 6, .unknown = "the alert has no value"),
    ROW("summary", FIELD_STRING, summary),
    ROW("reason", FIELD_STRING, reason,
        .about = "as it was when the alert began to fire, was told last or changed its severity"),
    ROW("offenders", FIELD_STRING, offenders, .about = "who was behind it then"),
    ROW("changed", FIELD_STRING, changed, .about = "what had changed shortly before"),
    ROW("starts_at", FIELD_TIME, starts_realtime_ns, .unknown = "it does not fire yet"),
    ROW("ends_at", FIELD_TIME, ends_realtime_ns, .unknown = "it is not over"),
    COMPUTED("suppressed_by", suppression_of, .choices = &suppression_names[SUPPRESSED_NOT + 1],
             .unknown = "it was told, is over, or does not fire yet",
             .about = "why nobody is told at the moment"),
    ROW("flapping", FIELD_BOOL, flapping),
    ROW("escalation_step", FIELD_U32, escalation_step),
    ROW("acked_by", FIELD_STRING, acked_by, .unknown = "nobody has acknowledged it"),
    ROW("ack_comment", FIELD_STRING, ack_comment, .unknown = "nobody has acknowledged it"),
    ROW("acked_until", FIELD_TIME, acked_until_realtime_ns,
        .unknown = "it is not acknowledged, or until it is over"),
};
#undef TYPE

static const struct field_table alert_table = FIELD_TABLE("Alert", alert_fields, "An alert.");

#define TYPE struct alerts_body
static const struct field alerts_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    ROW("firing", FIELD_U64, firing, .about = "of all, whatever was asked for"),
    ROW("pending", FIELD_U64, pending, .about = "likewise"),
    ROW("resolved", FIELD_U64, resolved, .about = "likewise, as far as the history reaches"),
    LIST("alerts", alerts, count, &alert_table, struct alert_view,
         .missing_at = MISSING_AT(TYPE, missing),
         .about = "firing, then pending; the worst first, then the newest"),
    ROW("alerts_omitted", FIELD_U64, omitted, .about = "beyond what one answer holds"),
    LIST("history", history, history_count, &alert_table, struct alert_view,
         .missing_at = MISSING_AT(TYPE, missing), .about = "those that are over, the latest first"),
    ROW("history_omitted", FIELD_U64, history_omitted, .about = "beyond what one answer holds"),
    LIST("channels", channels, channel_count, &receiver_table, struct notify_channel_view,
         .missing_at = MISSING_AT(TYPE, no_channels), .about = "who is told, and whether it works"),
};
#undef TYPE

const struct field_table alerts_table =
    FIELD_TABLE("Alerts", alerts_fields, "Alerts there are and were.");

#define TYPE struct alert_acked_body
static const struct field acked_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns),
    {.kind = FIELD_MERGE, .offset = offsetof(TYPE, alert), .table = &alert_table},
};
#undef TYPE

const struct field_table alert_acked_table =
    FIELD_TABLE("AlertAcked", acked_fields, "An alert that was acknowledged.");

struct ack_request {
    const char *by, *comment;
    double duration;
};

#define TYPE struct ack_request
static const struct field ack_fields[] = {
    ROW("by", FIELD_STRING, by, .optional = true, .about = "who takes care of it"),
    ROW("comment", FIELD_STRING, comment, .optional = true),
    ROW("duration_seconds", FIELD_DOUBLE, duration, .optional = true,
        .about = "how long it holds; without: until the alert is over"),
};
#undef TYPE

const struct field_table alert_ack_table =
    FIELD_TABLE("AlertAck", ack_fields, "How an alert is acknowledged.");

#define TYPE struct silence_view
static const struct field silence_fields[] = {
    ROW("id", FIELD_CHARS, id),
    ROW("matchers", FIELD_STRING, matchers, .about = "of the alerts that are not told"),
    ROW("creator", FIELD_STRING, creator),
    ROW("comment", FIELD_STRING, comment),
    ROW("starts_at", FIELD_TIME, start_realtime_ns),
    ROW("ends_at", FIELD_TIME, end_realtime_ns),
    ROW("active", FIELD_BOOL, active, .about = "it has begun"),
};
#undef TYPE

static const struct field_table silence_table =
    FIELD_TABLE("Silence", silence_fields, "What nobody wants to be told.");

#define TYPE struct silences_body
static const struct field silences_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    LIST("silences", silences, count, &silence_table, struct silence_view,
         .missing_at = MISSING_AT(TYPE, missing), .about = "those that are not over"),
};
#undef TYPE

const struct field_table silences_table =
    FIELD_TABLE("Silences", silences_fields, "Silences there are, or the one that was changed.");

struct silence_request {
    const char *matchers[1];
    size_t matcher_count;
    double duration;
    const char *starts_at, *ends_at, *creator, *comment;
};

#define TYPE struct silence_request
static const struct field silence_request_fields[] = {
    ROW("matchers", FIELD_STRINGS, matchers, .count_offset = offsetof(TYPE, matcher_count),
        .about =
            "as [\"alertname=HostDisk\", \"subject=~/srv/.*\"] (or one string); all must hold"),
    ROW("duration_seconds", FIELD_DOUBLE, duration, .optional = true,
        .about = "how long; this or ends_at"),
    ROW("starts_at", FIELD_STRING, starts_at, .optional = true,
        .about = "RFC 3339 or seconds since 1970; without: now"),
    ROW("ends_at", FIELD_STRING, ends_at, .optional = true, .about = "likewise"),
    ROW("creator", FIELD_STRING, creator, .optional = true),
    ROW("comment", FIELD_STRING, comment, .optional = true),
};
#undef TYPE

const struct field_table silence_request_table =
    FIELD_TABLE("SilenceRequest", silence_request_fields, "A silence to be made.");

struct silence_removal {
    const char *id;
};

#define TYPE struct silence_removal
static const struct field removal_fields[] = {
    ROW("id", FIELD_STRING, id, .about = "the silence's"),
};
#undef TYPE

const struct field_table silence_removal_table =
    FIELD_TABLE("SilenceRemoval", removal_fields, "Which silence to end.");
