/* Notifications to send, and notify on a loop of its own with an outbox in a directory of its own.
 */
#ifndef TEST_NOTIFY_FIXTURE_H
#define TEST_NOTIFY_FIXTURE_H

#include "alert/rule.h"
#include "config_text.h"
#include "notify/notify.h"
#include "peer.h"
#include "program.h"
#include <math.h>

#define DEADLINE_NS (60 * NS_PER_SECOND)
#define STARTS_NS (1767225600 * NS_PER_SECOND) /* 2026-01-01 00:00:00 UTC */

struct note {
    struct notification n;
    struct alert_view alerts[NOTICE_ALERTS_MAX];
    struct digest_row rows[2];
};

static inline struct labels *make_labels(const char *name, const char *value)
{
    const struct label pairs[] = {{"alertname", name}, {"comm", value}};
    struct labels *labels;

    assert_int_equal(labels_create(&labels, pairs, 2), 0);
    return labels;
}

/* One alert that fires; `key` is the notification's. */
static inline void make_note(struct note *note, const struct config_channel *channel,
                             const char *key, const char *comm)
{
    memset(note, 0, sizeof(*note));
    note->alerts[0] = (struct alert_view){
        .id = "00000000000000a1",
        .severity = SEVERITY_CRITICAL,
        .state = ALERT_FIRING,
        .labels = make_labels("OomKill", comm),
        .value = 2.5,
        .summary = "was killed",
        .reason = "pid 42: out of memory",
        .offenders = "postgres 91 %",
        .changed = "",
        .starts_realtime_ns = STARTS_NS,
    };
    note->n = (struct notification){
        .kind = NOTICE_FIRING,
        .channel = channel,
        .group = labels_ref((struct labels *)note->alerts[0].labels),
        .severity = SEVERITY_CRITICAL,
        .realtime_ns = STARTS_NS + 5 * NS_PER_SECOND,
        .alerts = note->alerts,
        .count = 1,
        .part = 1,
        .parts = 1,
    };
    snprintf(note->n.key, sizeof(note->n.key), "%s", key);
}

static inline void free_note(struct note *note)
{
    for (size_t i = 0; i < note->n.count; i++)
        labels_unref((struct labels *)note->alerts[i].labels);
    labels_unref((struct labels *)note->n.group);
}

struct office {
    char directory[64], outbox[96];
    struct clock clock;
    uint64_t ahead_ns; /* of the system's clock */
    struct loop *loop;
    struct loop_source *watch;
    struct config *config;
    struct notify *notify;
    bool (*done)(struct office *office);
    uint64_t deadline_ns;
    void *about; /* what `done` looks at */
};

static inline uint64_t office_monotonic_ns(void *ctx)
{
    return clock_monotonic_ns(clock_system()) + ((const struct office *)ctx)->ahead_ns;
}

static inline uint64_t office_realtime_ns(void *ctx)
{
    return clock_realtime_ns(clock_system()) + ((const struct office *)ctx)->ahead_ns;
}

static inline void office_open_notify(struct office *o)
{
    const struct notify_config config = {
        .config = o->config, .outbox_path = o->outbox, .host = "web1"};

    assert_int_equal(notify_create(&o->notify, &config, o->loop, &o->clock, NULL), 0);
}

/* With the configuration that stands in `o`. */
static inline void office_reload(struct office *o)
{
    assert_int_equal(notify_stage(o->notify, o->config), 0);
    notify_commit(o->notify);
    notify_tell(o->notify);
}

/* `channels` is the inside of the list. */
static inline struct config *office_config(const char *channels)
{
    char text[8192];

    snprintf(text, sizeof(text), "{\"alert_manager\":{\"channels\":[%s]}}", channels);
    return load_valid(text, NULL);
}

static inline void office_begin(struct office *o)
{
    memset(o, 0, sizeof(*o));
    make_directory(o->directory, NULL);
    snprintf(o->outbox, sizeof(o->outbox), "%s/outbox.sqlite", o->directory);
    o->clock = (struct clock){office_monotonic_ns, office_realtime_ns, o};
    assert_int_equal(loop_create(&o->loop, &o->clock), 0);
}

static inline void office_open(struct office *o, const char *channels)
{
    o->config = office_config(channels);
    office_open_notify(o);
}

static inline void office_end(struct office *o)
{
    notify_destroy(o->notify);
    config_destroy(o->config);
    loop_destroy(o->loop);
    remove_directory(o->directory);
}

static inline void office_watch(void *ctx, uint64_t now_ns)
{
    struct office *o = ctx;

    (void)now_ns;
    if (o->done(o) || clock_monotonic_ns(clock_system()) > o->deadline_ns)
        loop_stop(o->loop);
}

/* Runs the loop until `done` says so. */
static inline void office_run(struct office *o, bool (*done)(struct office *office))
{
    o->done = done;
    o->deadline_ns = clock_monotonic_ns(clock_system()) + DEADLINE_NS;
    assert_int_equal(loop_add_timer(o->loop, &o->watch, 2 * NS_PER_MS, office_watch, o), 0);
    assert_int_equal(loop_run(o->loop), 0);
    loop_remove(o->watch);
    if (!done(o))
        fail_msg("waited in vain");
}

static inline const struct config_channel *office_channel(const struct office *o, size_t index)
{
    return &o->config->alert_manager.channels.items[index];
}

static inline void office_send(struct office *o, size_t channel, const char *key)
{
    struct note note;

    make_note(&note, office_channel(o, channel), key, "nginx");
    notify_send(o->notify, &note.n);
    free_note(&note);
}

/* Turns the clock, of which the alarms learn when the next message comes; `key` is that one's. */
static inline void office_turn_clock(struct office *o, uint64_t ns, const char *key)
{
    o->ahead_ns += ns;
    office_send(o, 0, key);
}

static inline struct notify_channel_view office_view(const struct office *o, size_t index)
{
    struct notify_channel_view view;

    notify_channel_view(o->notify, index, &view);
    return view;
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define FAILED_ANSWER "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"
/* Attempts follow each other at once, or at least within the test. */
#define QUICK "\"retry\":{\"base_delay\":0.01,\"max_delay\":0.05},"
#define PATIENT "\"breaker\":{\"failure_threshold\":1000}"

/* `more` is the channel's other keys. */
static inline void webhook_within(char out[512], double timeout_seconds, const char *name,
                                  const struct peer *peer, const char *more)
{
    snprintf(out, 512, "{\"name\":\"%s\",\"type\":\"webhook\",\"url\":\"%s\",\"timeout\":%g%s%s}",
             name, peer->url, timeout_seconds, *more ? "," : "", more);
}

/* No attempt ends because the machine is busy. */
static inline void webhook(char out[512], const char *name, const struct peer *peer,
                           const char *more)
{
    webhook_within(out, 60, name, peer, more);
}

static inline bool all_sent(struct office *o)
{
    for (size_t i = 0; i < notify_channel_count(o->notify); i++)
        if (office_view(o, i).queued)
            return false;
    return true;
}

static inline bool all_stored(struct office *o)
{
    struct outbox_view view;

    notify_outbox_view(o->notify, &view);
    return view.queued == 0 && view.stored >= office_view(o, 0).queued;
}

/* What the outbox has to do is done, too. */
static inline bool all_removed(struct office *o)
{
    struct outbox_view view;

    notify_outbox_view(o->notify, &view);
    return all_sent(o) && view.queued == 0 && view.removed >= view.stored + view.recovered;
}

static inline const char *request_header(const struct peer *peer, const char *name)
{
    static char value[128];
    const char *at = strcasestr(peer->request, name);

    if (!at)
        fail_msg("no %s in %s", name, peer->request);
    snprintf(value, sizeof(value), "%s", at + strlen(name));
    value[strcspn(value, "\r\n")] = '\0';
    return value;
}

#endif
