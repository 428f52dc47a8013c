#include "notify/notify.h"
#include "base/names.h"
#include "notify/channel_driver.h"
#include "notify/lane.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define LOGGER "alert_manager"
/* A disk that hangs must not keep the agent from starting. */
#define RECOVER_MS 2000
#define NOTE_KEY_BYTES 17

struct notify {
    struct lane_env env;
    const struct config *config;
    char *host, *outbox_path;
    struct loop_source *outbox_source;
    struct lane **lanes;
    uint64_t *remind_ns; /* of each lane, monotonic: when it is reminded next */
    size_t count;
    size_t bytes;      /* of all that waits */
    bool outbox_fails; /* and it was said */
    uint64_t outbox_made_again, outbox_moved_aside;
    bool said; /* something, since notify_begin() */
    void (*noted)(void *ctx, const char *note, size_t bytes);
    void *ctx;
    const struct config *next; /* NULL: nothing is staged */
    struct lane **next_lanes;
    uint64_t *next_remind_ns;
    size_t next_count;
    struct lane **gone; /* not configured any more, which is still to be said */
    size_t gone_count;
};

const char *const notify_state_names[] = {
    [NOTIFY_OK] = "ok",
    [NOTIFY_FAILING] = "failing",
    [NOTIFY_OPEN] = "open",
    [NOTIFY_MISCONFIGURED] = "misconfigured",
    NULL,
};
NAMES_OF(notify_state_names, NOTIFY_STATE_COUNT);

const char *notify_state_text(enum notify_state state)
{
    return name_at(notify_state_names, NOTIFY_STATE_COUNT, state);
}

static size_t receivers_of(const struct config_channel *channel)
{
    return channel_kinds[channel->type].peers ? channel->urls.count : 1;
}

static struct receiver receiver_of(const struct config_channel *channel, size_t index)
{
    return (struct receiver){
        .channel = channel,
        .peer = channel_kinds[channel->type].peers ? channel->urls.items[index] : "",
    };
}

static struct lane *find_lane(struct lane *const *lanes, size_t count,
                              const struct receiver *receiver)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i] && lane_leads_to(lanes[i], receiver))
            return lanes[i];
    return NULL;
}

/* The lanes of a configuration: those there are, and new ones where there is none. */
static int make_lanes(const struct notify *n, const struct config *config)
{
    struct lane **lanes = n->next_lanes;
    size_t channel_count, at = 0;
    const struct config_channel *channels = alert_channels(config, &channel_count);

    for (size_t c = 0; c < channel_count; c++)
        for (size_t i = 0; i < receivers_of(&channels[c]); i++, at++) {
            struct receiver receiver = receiver_of(&channels[c], i);
            int r;

            lanes[at] = find_lane(n->lanes, n->count, &receiver);
            r = lanes[at] ? 0 : lane_create(&lanes[at], &n->env, &receiver, config);
            if (r < 0)
                return r;
        }
    return 0;
}

static bool contains(struct lane *const *lanes, size_t count, const struct lane *lane)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i] == lane)
            return true;
    return false;
}

int notify_stage(struct notify *n, const struct config *config)
{
    size_t channel_count, count = 0;
    const struct config_channel *channels = alert_channels(config, &channel_count);
    int r;

    notify_unstage(n);
    for (size_t c = 0; c < channel_count; c++)
        count += receivers_of(&channels[c]);
    n->next = config;
    n->next_count = count;
    n->next_lanes = calloc(count + 1, sizeof(struct lane *));
    n->next_remind_ns = calloc(count + 1, sizeof(*n->next_remind_ns));
    r = n->next_lanes && n->next_remind_ns ? make_lanes(n, config) : -ENOMEM;
    if (r < 0)
        notify_unstage(n);
    return r;
}

void notify_unstage(struct notify *n)
{
    for (size_t i = 0; n->next_lanes && i < n->next_count; i++)
        if (n->next_lanes[i] && !contains(n->lanes, n->count, n->next_lanes[i]))
            lane_destroy(n->next_lanes[i]);
    free(n->next_lanes);
    free(n->next_remind_ns);
    n->next = NULL;
    n->next_lanes = NULL;
    n->next_remind_ns = NULL;
    n->next_count = 0;
}

/* Lanes that there are already take what is theirs from the new configuration. */
static void configure_lanes(struct notify *n)
{
    struct retry_policy policy = retry_policy_of(n->config);
    size_t channel_count, at = 0;
    const struct config_channel *channels = alert_channels(n->config, &channel_count);

    retry_set_policy(n->env.retry, &policy);
    for (size_t c = 0; c < channel_count; c++)
        for (size_t i = 0; i < receivers_of(&channels[c]); i++, at++) {
            struct receiver receiver = receiver_of(&channels[c], i);

            lane_configure(n->lanes[at], &receiver, n->config);
        }
}

static void drop_gone(struct notify *n)
{
    for (size_t i = 0; i < n->gone_count; i++)
        lane_destroy(n->gone[i]);
    free(n->gone);
    n->gone = NULL;
    n->gone_count = 0;
}

void notify_commit(struct notify *n)
{
    if (!n->next)
        return;
    drop_gone(n);
    for (size_t i = 0; i < n->count; i++)
        if (!contains(n->next_lanes, n->next_count, n->lanes[i]))
            n->lanes[n->gone_count++] = n->lanes[i];
    n->gone = n->lanes;
    free(n->remind_ns);
    n->config = n->next;
    n->lanes = n->next_lanes;
    n->remind_ns = n->next_remind_ns;
    n->count = n->next_count;
    n->next_lanes = NULL;
    n->next_remind_ns = NULL;
    n->next = NULL;
    n->next_count = 0;
    configure_lanes(n);
}

void notify_tell(struct notify *n)
{
    for (size_t i = 0; i < n->gone_count; i++)
        lane_give_up_all(n->gone[i], "the channel is not configured any more");
    drop_gone(n);
    for (size_t i = 0; i < n->count; i++)
        lane_resume(n->lanes[i]);
}

/* There is nobody to count it for. */
static void give_up(const struct notify *n, const char *channel, const char *key)
{
    LOG_ERROR(n->env.log, LOGGER, "Notification given up", LOG_STRING("channel", channel),
              LOG_STRING("key", key),
              LOG_STRING("reason", "the channel is not configured any more"));
}

/* By what the outbox calls it. */
static struct lane *lane_called(const struct notify *n, const char *id)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(lane_id(n->lanes[i]), id) == 0)
            return n->lanes[i];
    return NULL;
}

static void on_ready(void *ctx, const struct outbox_entry *entry, bool durable, bool recovered)
{
    const struct notify *n = ctx;
    bool is_note = strcmp(entry->channel, OUTBOX_NOTES) == 0;
    struct lane *lane = is_note ? NULL : lane_called(n, entry->channel);

    if (lane) {
        lane_ready(lane, entry, durable, recovered);
    } else if (!is_note) {
        give_up(n, entry->channel, entry->key);
        outbox_remove(n->env.outbox, entry->channel, entry->key);
    } else if (n->noted) {
        n->noted(n->ctx, entry->body, entry->body_bytes);
    }
}

static void on_fetched(void *ctx, const struct outbox_entry *entry, int error)
{
    struct lane *lane = lane_called(ctx, entry->channel);

    if (lane)
        lane_fetched(lane, entry, error);
}

static void on_outbox(void *ctx, uint32_t events)
{
    const struct notify *n = ctx;

    (void)events;
    outbox_dispatch(n->env.outbox);
}

static int create_parts(struct notify *n, const struct notify_config *config)
{
    const struct outbox_config outbox = {.path = config->outbox_path,
                                         .max_bytes = config->outbox_bytes};
    const struct outbox_ops ops = {.ready = on_ready, .fetched = on_fetched, .ctx = n};
    const struct retry_policy policy = retry_policy_of(config->config);
    const struct retry_ops no_breakers = {0};
    int r;

    n->noted = config->noted;
    n->ctx = config->ctx;
    n->host = strdup(config->host);
    n->outbox_path = strdup(config->outbox_path);
    if (!n->host || !n->outbox_path)
        return -ENOMEM;
    r = retry_create(&n->env.retry, &policy, &no_breakers, n->env.clock, n->env.random);
    if (r == 0)
        r = http_create(&n->env.http, n->env.loop, n->env.clock);
    if (r == 0)
        r = outbox_create(&n->env.outbox, &outbox, &ops);
    if (r == 0)
        r = loop_add_fd(n->env.loop, &n->outbox_source, outbox_fd(n->env.outbox), EPOLLIN,
                        on_outbox, n);
    if (r == 0)
        r = notify_stage(n, config->config);
    if (r < 0)
        return r;
    notify_commit(n);
    notify_tell(n);
    return 0;
}

int notify_create(struct notify **ret, const struct notify_config *config, struct loop *loop,
                  const struct clock *clock, struct log *log)
{
    struct notify *n = calloc(1, sizeof(*n));
    int r;

    if (!n)
        return -ENOMEM;
    n->env = (struct lane_env){
        .loop = loop, .clock = clock, .log = log, .random = random_system(), .bytes = &n->bytes};
    r = create_parts(n, config);
    if (r < 0) {
        notify_destroy(n);
        return r;
    }
    *ret = n;
    return 0;
}

void notify_destroy(struct notify *n)
{
    if (!n)
        return;
    notify_unstage(n);
    drop_gone(n);
    for (size_t i = 0; i < n->count; i++)
        lane_destroy(n->lanes[i]);
    free(n->lanes);
    free(n->remind_ns);
    loop_remove(n->outbox_source);
    outbox_destroy(n->env.outbox);
    http_destroy(n->env.http);
    retry_destroy(n->env.retry);
    free(n->host);
    free(n->outbox_path);
    free(n);
}

static void send_to(struct lane *lane, const struct notification *notification,
                    const struct text *payload)
{
    if (payload->failed)
        lane_count_dropped(lane, notification->key, "out of memory");
    else
        lane_put(lane, notification, payload);
}

void notify_send(struct notify *n, const struct notification *notification)
{
    const struct channel_driver *driver = channel_drivers[notification->channel->type];
    struct text payload;
    bool known = false;

    text_init(&payload, PAYLOAD_BYTES_MAX);
    if (driver->render)
        driver->render(notification, n->host, &payload);
    for (size_t i = 0; i < n->count; i++) {
        struct lane *lane = n->lanes[i];

        if (strcmp(lane_receiver(lane)->channel->name, notification->channel->name) != 0)
            continue;
        known = true;
        if (driver->write) {
            driver->write(n->env.log, notification);
            lane_count_sent(lane);
        } else {
            send_to(lane, notification, &payload);
            n->said = true;
        }
    }
    if (!known)
        give_up(n, notification->channel->name, notification->key);
    text_free(&payload);
}

void notify_begin(struct notify *n)
{
    n->said = false;
    outbox_hold(n->env.outbox);
}

void notify_end(struct notify *n)
{
    outbox_release(n->env.outbox);
}

bool notify_has_said(const struct notify *n)
{
    return n->said;
}

static void note_key(char key[NOTE_KEY_BYTES], uint64_t number)
{
    snprintf(key, NOTE_KEY_BYTES, "%016llx", (unsigned long long)number);
}

/* What finds no room in the queue is not durable, as the messages themselves. */
void notify_note(struct notify *n, uint64_t number, const char *note, size_t bytes)
{
    char key[NOTE_KEY_BYTES];

    note_key(key, number);
    outbox_put(n->env.outbox, &(struct outbox_entry){
                                  .channel = OUTBOX_NOTES,
                                  .key = key,
                                  .body = note,
                                  .body_bytes = bytes,
                                  .created_ns = clock_realtime_ns(n->env.clock),
                              });
}

void notify_forget_notes(struct notify *n, uint64_t number)
{
    char key[NOTE_KEY_BYTES];

    note_key(key, number);
    outbox_remove_up_to(n->env.outbox, OUTBOX_NOTES, key);
}

void notify_recover(struct notify *n)
{
    outbox_wait_left(n->env.outbox, RECOVER_MS);
    outbox_dispatch(n->env.outbox);
}

static void look_after_outbox(struct notify *n)
{
    struct outbox_view view;

    outbox_tick(n->env.outbox);
    outbox_view(n->env.outbox, &view);
    if (*view.error && !n->outbox_fails)
        LOG_ERROR(n->env.log, LOGGER, "Notifications are sent without being kept on the disk first",
                  LOG_STRING("error", view.error));
    n->outbox_fails = *view.error != '\0';
    if (view.made_again > n->outbox_made_again)
        LOG_WARNING(n->env.log, LOGGER,
                    "The outbox was removed from the disk; made again with what was in it",
                    LOG_STRING("path", n->outbox_path));
    n->outbox_made_again = view.made_again;
    if (view.moved_aside > n->outbox_moved_aside)
        LOG_ERROR(
            n->env.log, LOGGER,
            "The outbox, in which the alerts' state is too, cannot be used; moved aside, going "
            "on with what could be read of it",
            LOG_STRING("reason", view.moved_why), LOG_STRING("moved_to", view.moved_to));
    n->outbox_moved_aside = view.moved_aside;
}

void notify_tick(struct notify *n, const struct alert_manager *alerts, uint64_t now_ns)
{
    look_after_outbox(n);
    for (size_t i = 0; i < n->count; i++) {
        const struct config_channel *channel = lane_receiver(n->lanes[i])->channel;

        lane_tick(n->lanes[i]);
        if (!channel_drivers[channel->type]->remind || now_ns < n->remind_ns[i] ||
            !lane_is_idle(n->lanes[i]))
            continue;
        n->remind_ns[i] = now_ns + clock_ns_of_seconds(channel->resend_interval_seconds);
        lane_remind_all(n->lanes[i], alerts, n->host);
    }
}

size_t notify_channel_count(const struct notify *n)
{
    return n->count;
}

void notify_channel_view(const struct notify *n, size_t index, struct notify_channel_view *ret)
{
    lane_view(n->lanes[index], ret);
}

/* A tick's messages are queued a little after the tick's time. */
#define QUEUED_AFTER_NS (2 * NS_PER_SECOND)

bool notify_waits(const struct notify *n, const struct config_channel *channel,
                  uint64_t told_realtime_ns)
{
    bool waits = false;

    for (size_t i = 0; i < n->count; i++) {
        uint64_t since_ns = lane_waits_since(n->lanes[i]);

        if (strcmp(lane_receiver(n->lanes[i])->channel->name, channel->name) != 0)
            continue;
        if (!since_ns || told_realtime_ns + QUEUED_AFTER_NS < since_ns)
            return false;
        waits = true;
    }
    return waits;
}

struct outbox *notify_outbox(const struct notify *n)
{
    return n->env.outbox;
}

void notify_outbox_view(const struct notify *n, struct outbox_view *ret)
{
    outbox_view(n->env.outbox, ret);
}
