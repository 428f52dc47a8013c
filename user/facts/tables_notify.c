/* Receivers of notifications. */
#include "facts/tables.h"
#include "notify/notify.h"

static const char *channel_state_of(struct field_text *text)
{
    return notify_state_text(((const struct notify_channel_view *)text->object)->state);
}

static const char *peer_of(struct field_text *text)
{
    const struct notify_channel_view *view = text->object;

    return *view->peer ? view->peer : NULL;
}

static const char *error_of(struct field_text *text)
{
    const struct notify_channel_view *view = text->object;

    return *view->error ? view->error : NULL;
}

static void label_receiver(const void *row, struct row_labels *ret)
{
    const struct notify_channel_view *r = row;

    row_label(ret, "channel", r->name);
    row_label(ret, "type", r->type);
    row_label(ret, "peer", r->peer);
}

#define TYPE struct notify_channel_view
static const struct field channel_fields[] = {
    ROW("name", FIELD_STRING, name),
    ROW("type", FIELD_STRING, type),
    COMPUTED("peer", peer_of, .unknown = "a channel of this type has one receiver"),
    COMPUTED("state", channel_state_of, .choices = notify_state_names,
             GAUGE("moonwatch_notify_state", "1 for the state a receiver is in.",
                   .labels = "channel type peer state "),
             .label = {"state"},
             .about = "open: too many attempts failed, the next one waits; misconfigured: it takes "
                      "a person to mend it"),
    COMPUTED("error", error_of, .unknown = "the last attempt did not fail"),
    ROW("queued", FIELD_U64, queued,
        GAUGE("moonwatch_notify_queued", "Messages not delivered yet."),
        AFTER("moonwatch_notify_heartbeats"), .about = "messages not delivered yet"),
    ROW("sent_total", FIELD_U64, sent_total,
        COUNTER("moonwatch_notify_sent", "Messages delivered.")),
    ROW("failed_total", FIELD_U64, failed_total, .about = "attempts",
        COUNTER("moonwatch_notify_failed", "Attempts to deliver that failed.")),
    FIGURE(FIELD_U64, retried_total,
           COUNTER("moonwatch_notify_retried", "Attempts after the first.")),
    ROW("dropped_total", FIELD_U64, dropped_total, .about = "messages given up",
        COUNTER("moonwatch_notify_dropped", "Messages given up.")),
    FIGURE(FIELD_U64, heartbeats_total,
           COUNTER("moonwatch_notify_heartbeats",
                   "Reminders of what still fires, delivered beside the messages.")),
    ROW("last_success_at", FIELD_TIME, last_success_ns,
        GAUGE("moonwatch_notify_last_success_timestamp_seconds",
              "When a message was delivered last."),
        .unknown = "nothing was delivered yet"),
    ROW("next_attempt_at", FIELD_TIME, next_attempt_ns, .unknown = "none waits"),
    FIGURE(FIELD_TIME, oldest_queued_ns,
           GAUGE("moonwatch_notify_oldest_queued_timestamp_seconds",
                 "When the oldest message that waits was made.")),
    /* Every second bound, as for other durations of seconds. */
    FIGURE(FIELD_LATENCY, latency, .step = 2,
           HISTOGRAM("moonwatch_notify_latency_seconds",
                     "From a notification to the receiver's yes; "
                     "what an agent before left is not counted.")),
};
#undef TYPE

FIELD_METRICS(channel_fields, "channel type peer ", NEED_NOTHING);
const struct field_table receiver_table = FIELD_TABLE(
    "AlertChannel", channel_fields, "A receiver of notifications.", .label = label_receiver);
