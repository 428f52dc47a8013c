/* What the loop and the outbox's thread hand to each other. Inside this layer only. */
#ifndef MOONWATCH_STORE_OUTBOX_ITEM_H
#define MOONWATCH_STORE_OUTBOX_ITEM_H

#include "base/worker.h"
#include "store/outbox.h"
#include <cjson/cJSON.h>

enum outbox_kind {
    OUTBOX_PUT,
    OUTBOX_REMOVE,
    OUTBOX_REMOVE_UP_TO,
    OUTBOX_RETRY,
    OUTBOX_FETCH,
    OUTBOX_DOCUMENT,
    OUTBOX_READY,
};

struct outbox_item {
    struct worker_job job;
    enum outbox_kind kind;
    struct outbox_entry entry; /* its strings and body stand behind the item */
    char *fetched;             /* the body of one that was fetched; NULL: there is none */
    int error;                 /* of the fetch */
    cJSON *document;           /* to be saved, until it was */
    bool keep_old;
    uint64_t document_bytes; /* written */
    bool is_new, durable, recovered;
    bool released; /* a copy was made ready, since the disk hangs */
};

struct outbox_item *outbox_item_create(enum outbox_kind kind, const struct outbox_entry *entry);
void outbox_item_free(struct outbox_item *item);

struct outbox_item *outbox_item_of(struct worker_job *job); /* NULL of NULL */
struct outbox_item *outbox_item_next(const struct outbox_item *item);
bool outbox_item_is_note(const struct outbox_item *item);

#endif
