/* What the loop and the outbox's thread hand to each other. Inside this layer only. */
#ifndef MOONWATCH_STORE_OUTBOX_QUEUE_H
#define MOONWATCH_STORE_OUTBOX_QUEUE_H

#include "store/outbox.h"

enum outbox_kind {
    OUTBOX_PUT,
    OUTBOX_REMOVE,
    OUTBOX_REMOVE_UP_TO,
    OUTBOX_RETRY,
    OUTBOX_READY,
};

struct outbox_item {
    struct outbox_item *next;
    enum outbox_kind kind;
    struct outbox_entry entry; /* its strings and body stand behind the item */
    bool is_new, durable, recovered;
    bool released; /* a copy was made ready, since the disk hangs */
};

/* All zero is empty. */
struct outbox_queue {
    struct outbox_item *first, *last;
    size_t count;
};

struct outbox_item *outbox_item_create(enum outbox_kind kind, const struct outbox_entry *entry);
void outbox_item_free(struct outbox_item *item);

void outbox_queue_push(struct outbox_queue *queue, struct outbox_item *item);
struct outbox_item *outbox_queue_pop(struct outbox_queue *queue);                /* NULL: empty */
void outbox_queue_append(struct outbox_queue *queue, struct outbox_queue *from); /* empties it */
void outbox_queue_clear(struct outbox_queue *queue);

#endif
