/* What waits for a receiver, in memory and in the outbox. */
#include "alert/rule.h"
#include "config/choices.h"
#include "notify/lane_state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void remove_row(struct lane *lane, const char *key)
{
    struct lane_removal *removal;
    size_t n = strlen(key) + 1;

    if (outbox_remove(lane->env->outbox, lane->id, key) == 0)
        return;
    /* Out of memory: after a restart it is sent again, with the same key. */
    removal = malloc(sizeof(*removal) + n);
    if (!removal)
        return;
    memcpy(removal->key, key, n);
    removal->next = lane->removals;
    lane->removals = removal;
}

void lane_tick(struct lane *lane)
{
    struct lane_removal *removal;

    if (lane->unready && !lane->first)
        lane_look(lane);
    while ((removal = lane->removals) &&
           outbox_remove(lane->env->outbox, lane->id, removal->key) == 0) {
        lane->removals = removal->next;
        free(removal);
    }
}

/* `previous` is the one before it; NULL: it is the first. */
static void forget(struct lane *lane, struct lane_entry *previous, struct lane_entry *entry)
{
    if (previous)
        previous->next = entry->next;
    else
        lane->first = entry->next;
    if (lane->last == entry)
        lane->last = previous;
    lane->count--;
    lane_drop_body(lane, entry);
    if (entry->in_outbox)
        remove_row(lane, entry->key);
    free(entry);
}

void lane_forget_first(struct lane *lane)
{
    forget(lane, NULL, lane->first);
}

void lane_count_dropped(struct lane *lane, const char *key, const char *reason)
{
    lane->dropped_total++;
    LOG_ERROR(lane->env->log, LOGGER, "Notification given up",
              LOG_STRING("channel", lane->receiver.channel->name),
              LOG_STRING("peer", lane->receiver.peer), LOG_STRING("key", key),
              LOG_STRING("reason", reason));
}

void lane_give_up(struct lane *lane, struct lane_entry *entry, const char *reason)
{
    struct lane_entry *previous = NULL;

    for (struct lane_entry *at = lane->first; at != entry; at = at->next)
        previous = at;
    lane_count_dropped(lane, entry->key, reason);
    forget(lane, previous, entry);
}

void lane_give_up_first(struct lane *lane, const char *reason)
{
    lane_give_up(lane, lane->first, reason);
}

void lane_give_up_all(struct lane *lane, const char *reason)
{
    http_cancel(lane->transfer);
    lane->transfer = NULL;
    while (lane->first)
        if (lane->first->reminder)
            lane_forget_first(lane);
        else
            lane_give_up_first(lane, reason);
}

/* The oldest of the least severe, but not what is being sent. `bytes`: of those that hold some. */
static void make_room(struct lane *lane, bool bytes)
{
    struct lane_entry *least = NULL, *before_least = NULL, *previous = NULL;

    for (struct lane_entry *entry = lane->first; entry; previous = entry, entry = entry->next) {
        if ((entry == lane->first && lane->transfer) || (bytes && !entry->body))
            continue;
        if (least && entry->severity >= least->severity)
            continue;
        least = entry;
        before_least = previous;
    }
    if (!least)
        return;
    lane->overflowed_total++;
    /* One line for each would be another flood. */
    if ((lane->overflowed_total & (lane->overflowed_total - 1)) == 0)
        LOG_ERROR(lane->env->log, LOGGER, "Too many notifications wait, some are given up",
                  LOG_STRING("channel", lane->receiver.channel->name),
                  LOG_STRING("peer", lane->receiver.peer),
                  LOG_U64("given_up", lane->overflowed_total), LOG_STRING("reason", lane->error));
    lane->dropped_total++;
    forget(lane, before_least, least);
}

struct lane_entry *lane_find(const struct lane *lane, const char *key)
{
    struct lane_entry *entry = lane->first;

    while (entry && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}

/* One allocation; the key is behind the struct. */
static struct lane_entry *create_entry(const char *key)
{
    size_t key_bytes = strlen(key) + 1;
    struct lane_entry *entry = calloc(1, sizeof(*entry) + key_bytes);

    if (entry)
        entry->key = memcpy(entry + 1, key, key_bytes);
    return entry;
}

static struct lane_entry *create_whole(const char *key, const char *head,
                                       const struct text *payload)
{
    struct lane_entry *entry = create_entry(key);

    if (!entry || lane_set_body(entry, head, payload->data, payload->len) < 0) {
        free(entry);
        return NULL;
    }
    entry->payload_at = strlen(head);
    return entry;
}

/* Before what was put since the start. */
static struct lane_entry *last_recovered(const struct lane *lane)
{
    struct lane_entry *found = NULL;

    for (struct lane_entry *entry = lane->first; entry; entry = entry->next)
        if (entry == lane->first || (!entry->queued_ns && !entry->reminder))
            found = entry;
    return found;
}

/* `recovered`: it belongs before what was put since the start. */
static void insert(struct lane *lane, struct lane_entry *entry, bool recovered)
{
    struct lane_entry *after;

    while (lane->count >= LANE_ENTRIES_MAX || lane->bytes + entry->body_bytes > LANE_BYTES_MAX ||
           *lane->env->bytes + entry->body_bytes > LANES_BYTES_MAX) {
        size_t count = lane->count;

        make_room(lane, count < LANE_ENTRIES_MAX);
        if (lane->count == count)
            break;
    }
    /* Only now: making room may have taken away the one before it. */
    after = recovered ? last_recovered(lane) : NULL;
    if (!lane->last) {
        lane->first = lane->last = entry;
    } else if (after && after != lane->last) {
        entry->next = after->next;
        after->next = entry;
    } else {
        lane->last->next = entry;
        lane->last = entry;
    }
    lane->count++;
    lane_count_body(lane, entry);
}

void lane_note_delivered(struct lane *lane, const char *key)
{
    lane->delivered[lane->sent_total++ % DELIVERED_KEYS_KEPT] = fnv_string(FNV_START, key);
}

static bool was_delivered(const struct lane *lane, const char *key)
{
    uint64_t hash = fnv_string(FNV_START, key);

    for (size_t i = 0; i < DELIVERED_KEYS_KEPT; i++)
        if (lane->delivered[i] == hash)
            return true;
    return false;
}

static const char *type_of(const struct lane *lane)
{
    return channel_kinds[lane->receiver.channel->type].name;
}

int lane_put(struct lane *lane, const struct notification *n, const struct text *payload)
{
    struct lane_entry *entry;
    char head[64];
    int r;

    if (lane_find(lane, n->key) || was_delivered(lane, n->key))
        return 0;
    snprintf(head, sizeof(head), "%s %s\n", type_of(lane), severity_text(n->severity));
    entry = create_whole(n->key, head, payload);
    if (!entry) {
        lane_count_dropped(lane, n->key, "out of memory");
        return -ENOMEM;
    }
    entry->severity = n->severity;
    entry->created_ns = clock_realtime_ns(lane->env->clock);
    entry->queued_ns = clock_monotonic_ns(lane->env->clock);
    r = outbox_put(lane->env->outbox, &(struct outbox_entry){
                                          .channel = lane->id,
                                          .key = entry->key,
                                          .body = entry->body,
                                          .body_bytes = entry->body_bytes,
                                          .created_ns = entry->created_ns,
                                      });
    entry->storing = entry->in_outbox = r == 0;
    insert(lane, entry, false);
    lane_pump(lane);
    return 0;
}

bool lane_is_idle(const struct lane *lane)
{
    return !lane->first;
}

int lane_remind(struct lane *lane, const struct text *payload)
{
    struct lane_entry *entry = create_whole("", "", payload);

    if (!entry)
        return -ENOMEM;
    entry->reminder = true;
    insert(lane, entry, false);
    lane_pump(lane);
    return 0;
}

void lane_count_sent(struct lane *lane)
{
    lane->sent_total++;
    lane->last_success_ns = clock_realtime_ns(lane->env->clock);
}

/* What the agent before left: "webhook critical\n" and the payload. */
static bool read_head(const struct lane *lane, const char *body, size_t bytes,
                      size_t *ret_payload_at, enum severity *ret_severity)
{
    const char *end = memchr(body, '\n', bytes < 64 ? bytes : 64);
    const char *type = type_of(lane);
    size_t name = strlen(type);

    if (!end || (size_t)(end - body) <= name || memcmp(body, type, name) != 0 || body[name] != ' ')
        return false;
    *ret_payload_at = (size_t)(end - body) + 1;
    *ret_severity = SEVERITY_CRITICAL;
    for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
        const char *text = severity_text((enum severity)s);

        if (strlen(text) == (size_t)(end - body) - name - 1 &&
            memcmp(body + name + 1, text, strlen(text)) == 0)
            *ret_severity = (enum severity)s;
    }
    return true;
}

static void recover(struct lane *lane, const struct outbox_entry *stored)
{
    uint64_t real_ns = clock_realtime_ns(lane->env->clock);
    uint64_t now_ns = clock_monotonic_ns(lane->env->clock), wait_ns = 0;
    struct lane_entry *entry;
    enum severity severity;
    size_t payload_at;

    if (!lane->driver->render ||
        !read_head(lane, stored->body, stored->body_bytes, &payload_at, &severity)) {
        lane_count_dropped(lane, stored->key, "the channel is of another type now");
        remove_row(lane, stored->key);
        return;
    }
    entry = create_entry(stored->key);
    if (!entry)
        return; /* It stays in the outbox for the next start. */
    entry->payload_at = payload_at;
    entry->severity = severity;
    entry->in_outbox = entry->on_disk = true;
    entry->created_ns = stored->created_ns;
    entry->begun = true;
    retry_resume(lane->destination, &entry->call, stored->attempts,
                 real_ns > stored->created_ns ? real_ns - stored->created_ns : 0);
    if (stored->next_attempt_ns > real_ns)
        wait_ns = stored->next_attempt_ns - real_ns;
    /* The clock may have been set back meanwhile. */
    if (wait_ns > lane->max_delay_ns)
        wait_ns = lane->max_delay_ns;
    entry->not_before_ns = now_ns + wait_ns;
    insert(lane, entry, true);
    /* Of its next attempt nothing may be known for long. */
    if (stored->attempts > 0 && lane->state == NOTIFY_OK)
        lane_set_state(lane, NOTIFY_FAILING, "it failed before the agent was started again");
}

/* What is stored is read again when it is due, unless that is soon. */
static void note_stored(struct lane *lane, struct lane_entry *entry)
{
    lane->bodies += !entry->on_disk && entry->body;
    entry->on_disk = true;
    if (lane->state != NOTIFY_OK || lane->bodies > LANE_BODIES_MAX)
        lane_drop_body(lane, entry);
}

void lane_ready(struct lane *lane, const struct outbox_entry *stored, bool durable, bool recovered)
{
    struct lane_entry *entry = lane_find(lane, stored->key);

    /* Put again with the key of a row that was there: that one counts. */
    if (entry) {
        entry->storing = false;
        if (durable)
            note_stored(lane, entry);
    } else if (recovered) {
        recover(lane, stored);
    }
    lane_pump(lane);
}
