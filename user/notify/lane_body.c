/* What a message says is in memory when it must be: until it is on the disk, and when its turn is
 * near. A dead receiver costs a key and a few times a message. */
#include "notify/lane_state.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* After the disk could not be read, or the outbox had too much to do. */
#define ASK_AGAIN_NS (5 * NS_PER_SECOND)

int lane_set_body(struct lane_entry *entry, const char *head, const void *body, size_t bytes)
{
    size_t head_bytes = strlen(head);

    entry->body = malloc(head_bytes + bytes + 1);
    if (!entry->body)
        return -ENOMEM;
    memcpy(entry->body, head, head_bytes);
    if (bytes)
        memcpy(entry->body + head_bytes, body, bytes);
    entry->body[head_bytes + bytes] = '\0';
    entry->body_bytes = head_bytes + bytes;
    return 0;
}

void lane_count_body(struct lane *lane, const struct lane_entry *entry)
{
    lane->bytes += entry->body_bytes;
    *lane->env->bytes += entry->body_bytes;
    lane->bodies += entry->on_disk && entry->body;
}

void lane_drop_body(struct lane *lane, struct lane_entry *entry)
{
    lane->bodies -= entry->on_disk && entry->body;
    lane->bytes -= entry->body_bytes;
    *lane->env->bytes -= entry->body_bytes;
    free(entry->body);
    entry->body = NULL;
    entry->body_bytes = 0;
}

void lane_drop_bodies(struct lane *lane)
{
    for (struct lane_entry *entry = lane->first; entry && lane->bodies > 0; entry = entry->next)
        if (entry->on_disk && entry->body)
            lane_drop_body(lane, entry);
}

static bool was_asked(const struct lane_entry *entry)
{
    return entry->fetch_ns != 0;
}

/* One commit of the outbox before each of them would be the slowest part of telling a storm. */
uint64_t lane_ask(struct lane *lane, uint64_t now_ns)
{
    size_t ahead = lane->state == NOTIFY_OK ? LANE_BODIES_MAX : 1;
    struct lane_entry *first = lane->first, *entry = first;

    do {
        if (entry->body || was_asked(entry))
            continue;
        if (outbox_fetch(lane->env->outbox, lane->id, entry->key) < 0)
            break;
        entry->fetch_ns = now_ns;
    } while (--ahead > 0 && (entry = entry->next));
    if (was_asked(first) && now_ns < first->fetch_ns + STORING_PATIENCE_NS)
        return first->fetch_ns + STORING_PATIENCE_NS;
    return now_ns + ASK_AGAIN_NS;
}

void lane_fetched(struct lane *lane, const struct outbox_entry *stored, int error)
{
    struct lane_entry *entry = lane_find(lane, stored->key);

    if (!entry || !was_asked(entry))
        return;
    entry->fetch_ns = 0;
    if (error == -ENOENT) {
        lane_give_up(lane, entry, "the outbox has lost what it says");
    } else if (error < 0 || lane_set_body(entry, "", stored->body, stored->body_bytes) < 0) {
        entry->unread = true;
        entry->not_before_ns = clock_monotonic_ns(lane->env->clock) + ASK_AGAIN_NS;
    } else {
        entry->unread = false;
        lane_count_body(lane, entry);
    }
    lane_pump(lane);
}

void lane_pass_unread(struct lane *lane, uint64_t now_ns)
{
    struct lane_entry *first = lane->first, *previous = first, *entry;
    bool late =
        first->unread || (was_asked(first) && now_ns >= first->fetch_ns + STORING_PATIENCE_NS);

    if (first->body || !late)
        return;
    while ((entry = previous->next) && !entry->body)
        previous = entry;
    if (!entry)
        return;
    previous->next = entry->next;
    if (lane->last == entry)
        lane->last = previous;
    entry->next = first;
    lane->first = entry;
}
