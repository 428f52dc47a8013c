#include "store/outbox_item.h"
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
    if (!item)
        return;
    cJSON_Delete(item->document);
    free(item->fetched);
    free(item);
}

struct outbox_item *outbox_item_of(struct worker_job *job)
{
    return (struct outbox_item *)job;
}

struct outbox_item *outbox_item_next(const struct outbox_item *item)
{
    return outbox_item_of(item->job.next);
}

bool outbox_item_is_note(const struct outbox_item *item)
{
    return strcmp(item->entry.channel, OUTBOX_NOTES) == 0;
}
