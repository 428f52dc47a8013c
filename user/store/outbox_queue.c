#include "store/outbox_queue.h"
#include <stdlib.h>
#include <string.h>

struct outbox_item *outbox_item_create(enum outbox_kind kind, const struct outbox_entry *entry)
{
    size_t channel_bytes = strlen(entry->channel) + 1, key_bytes = strlen(entry->key) + 1;
    struct outbox_item *item =
        malloc(sizeof(*item) + channel_bytes + key_bytes + entry->body_bytes);
    char *at;

    if (!item)
        return NULL;
    at = (char *)(item + 1);
    *item = (struct outbox_item){.kind = kind, .entry = *entry};
    item->entry.channel = memcpy(at, entry->channel, channel_bytes);
    item->entry.key = memcpy(at + channel_bytes, entry->key, key_bytes);
    if (entry->body_bytes)
        memcpy(at + channel_bytes + key_bytes, entry->body, entry->body_bytes);
    item->entry.body = at + channel_bytes + key_bytes;
    return item;
}

void outbox_item_free(struct outbox_item *item)
{
    free(item);
}

void outbox_queue_push(struct outbox_queue *queue, struct outbox_item *item)
{
    item->next = NULL;
    if (queue->last)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    queue->count++;
}

struct outbox_item *outbox_queue_pop(struct outbox_queue *queue)
{
    struct outbox_item *item = queue->first;

    if (!item)
        return NULL;
    queue->first = item->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    item->next = NULL;
    return item;
}

void outbox_queue_append(struct outbox_queue *queue, struct outbox_queue *from)
{
    if (!from->first)
        return;
    if (queue->last)
        queue->last->next = from->first;
    else
        queue->first = from->first;
    queue->last = from->last;
    queue->count += from->count;
    *from = (struct outbox_queue){0};
}

void outbox_queue_clear(struct outbox_queue *queue)
{
    struct outbox_item *item;

    while ((item = outbox_queue_pop(queue)))
        outbox_item_free(item);
}
