/* Delivery of notifications: each receiver, and the outbox they wait in. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include <stdlib.h>

/* Every second bound, as for other durations of seconds. */
#define LATENCY_STEP 2

static size_t label_channel(const void *row, struct label ret[METRIC_LABELS_MAX],
                            char scratch[METRIC_SCRATCH_BYTES])
{
    const struct notify_channel_view *view = row;

    (void)scratch;
    ret[0] = (struct label){"channel", view->name};
    ret[1] = (struct label){"type", view->type};
    ret[2] = (struct label){"peer", view->peer};
    return 3;
}

static void add_states(struct exposition *e, const struct notify_channel_view *rows, size_t count)
{
    static const struct metric_family family = {"moonwatch_notify_state", METRIC_GAUGE,
                                                "1 for the state a receiver is in."};

    METRIC_FAMILY(e, family, "channel type peer state ", NEED_NOTHING);
    for (size_t i = 0; i < count; i++)
        for (int state = 0; state < NOTIFY_STATE_COUNT; state++)
            exposition_count(e,
                             LABELS({"channel", rows[i].name}, {"type", rows[i].type},
                                    {"peer", rows[i].peer},
                                    {"state", notify_state_text((enum notify_state)state)}),
                             rows[i].state == (enum notify_state)state);
}

/* 0 would be 1970: what never was has no sample. */
static void add_times(struct exposition *e, const struct notify_channel_view *rows, size_t count)
{
    static const struct {
        struct metric_family family;
        size_t at;
    } times[] = {
        {{"moonwatch_notify_last_success_timestamp_seconds", METRIC_GAUGE,
          "When a message was delivered last."},
         offsetof(struct notify_channel_view, last_success_ns)},
        {{"moonwatch_notify_oldest_queued_timestamp_seconds", METRIC_GAUGE,
          "When the oldest message that waits was made."},
         offsetof(struct notify_channel_view, oldest_queued_ns)},
    };

    METRIC_TABLE(times, "channel type peer ", NEED_NOTHING);
    for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
        exposition_family(e, &times[t].family);
        for (size_t i = 0; i < count; i++) {
            uint64_t at_ns = *(const uint64_t *)((const char *)&rows[i] + times[t].at);

            if (at_ns > 0)
                exposition_sample(e,
                                  LABELS({"channel", rows[i].name}, {"type", rows[i].type},
                                         {"peer", rows[i].peer}),
                                  (double)at_ns / NS_PER_SECOND);
        }
    }
}

static void add_latency(struct exposition *e, const struct notify_channel_view *rows, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_notify_latency_seconds", METRIC_HISTOGRAM,
        "From a notification to the receiver's yes; what an agent before left is not counted."};

    METRIC_FAMILY(e, family, "channel type peer ", NEED_NOTHING);
    for (size_t i = 0; i < count; i++)
        exposition_histogram(
            e, LABELS({"channel", rows[i].name}, {"type", rows[i].type}, {"peer", rows[i].peer}),
            &rows[i].latency, LATENCY_STEP);
}

static void add_channels(struct exposition *e, const struct notify_channel_view *rows, size_t count)
{
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_notify_sent", "Messages delivered.", struct notify_channel_view,
                    sent_total, 1),
        U64_COUNTER("moonwatch_notify_failed", "Attempts to deliver that failed.",
                    struct notify_channel_view, failed_total, 1),
        U64_COUNTER("moonwatch_notify_retried", "Attempts after the first.",
                    struct notify_channel_view, retried_total, 1),
        U64_COUNTER("moonwatch_notify_dropped", "Messages given up.", struct notify_channel_view,
                    dropped_total, 1),
        U64_COUNTER("moonwatch_notify_heartbeats",
                    "Reminders of what still fires, delivered beside the messages.",
                    struct notify_channel_view, heartbeats_total, 1),
    };
    static const struct metric_family queued = {"moonwatch_notify_queued", METRIC_GAUGE,
                                                "Messages not delivered yet."};

    add_states(e, rows, count);
    METRIC_COLUMNS(e, columns, "channel type peer ", NEED_NOTHING,
                   (&(const struct metric_rows){rows, sizeof(*rows), count, label_channel}));
    METRIC_FAMILY(e, queued, "channel type peer ", NEED_NOTHING);
    for (size_t i = 0; i < count; i++)
        exposition_count(
            e, LABELS({"channel", rows[i].name}, {"type", rows[i].type}, {"peer", rows[i].peer}),
            rows[i].queued);
    add_times(e, rows, count);
    add_latency(e, rows, count);
}

static void add_outbox(struct exposition *e, const struct notify *notify)
{
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_outbox_stored", "Messages that were on the disk before being sent.",
                    struct outbox_view, stored, 1),
        U64_COUNTER("moonwatch_outbox_not_durable", "Messages that were sent without.",
                    struct outbox_view, not_durable, 1),
        U64_COUNTER("moonwatch_outbox_duplicates", "Messages that were there already.",
                    struct outbox_view, duplicates, 1),
        U64_COUNTER("moonwatch_outbox_removed", "Messages taken out: delivered or given up.",
                    struct outbox_view, removed, 1),
        U64_COUNTER("moonwatch_outbox_recovered", "Messages that an agent before had left.",
                    struct outbox_view, recovered, 1),
        U64_COUNTER("moonwatch_outbox_moved_aside", "Damaged databases moved aside.",
                    struct outbox_view, moved_aside, 1),
    };
    static const struct metric_family open = {
        "moonwatch_outbox_open", METRIC_GAUGE,
        "1 when the outbox's database is open, which it is from the first message on."};
    static const struct metric_family queued = {"moonwatch_outbox_queued", METRIC_GAUGE,
                                                "Changes on their way to the outbox's disk."};
    struct outbox_view view;

    notify_outbox_view(notify, &view);
    METRIC_COLUMNS(e, columns, "", NEED_NOTHING,
                   (&(const struct metric_rows){&view, sizeof(view), 1, NULL}));
    METRIC_FAMILY(e, open, "", NEED_NOTHING);
    exposition_count(e, NULL, 0, view.open);
    METRIC_FAMILY(e, queued, "", NEED_NOTHING);
    exposition_count(e, NULL, 0, view.queued);
}

void metrics_notify(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    size_t count = s->notify ? notify_channel_count(s->notify) : 0;
    struct notify_channel_view *rows = count ? calloc(count, sizeof(*rows)) : NULL;

    (void)m;
    if (!rows)
        return;
    for (size_t i = 0; i < count; i++)
        notify_channel_view(s->notify, i, &rows[i]);
    add_channels(e, rows, count);
    add_outbox(e, s->notify);
    free(rows);
}
