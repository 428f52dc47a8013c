/* The outbox between its two sides: the loop (outbox.c) and the thread that has the database
 * (outbox_thread.c). Inside this layer only. */
#ifndef MOONWATCH_STORE_OUTBOX_STATE_H
#define MOONWATCH_STORE_OUTBOX_STATE_H

#include "store/document_rows.h"
#include "store/outbox.h"
#include "store/outbox_item.h"
#include "store/outbox_store.h"
#include <pthread.h>

/* All zero is empty. */
struct outbox_rows {
    struct outbox_item *first, *last;
    cJSON *document;
};

struct outbox {
    char *path;
    uint64_t max_bytes;
    struct outbox_ops ops;
    struct worker *worker; /* its jobs are items */
    uint64_t look_ns;      /* of the loop: when it asks for a look next */
    /* Of the thread alone. */
    struct sqlite_library library;
    struct outbox_store *store; /* NULL: not open */
    uint64_t retry_open_ns;
    bool looked;              /* for what is there at the start */
    bool loaded;              /* what was left was handed over */
    struct outbox_rows again; /* of a database that is gone, for the one that is opened next */
    struct document_rows rows;
    int document_fd;
    /* Between both, under the lock. */
    struct {
        bool looked; /* for what was left */
        int left_error;
        cJSON *left; /* NULL: taken, or there is none */
        bool saving, saved;
        struct outbox_document_result result;
    } document;
    struct outbox_view view;
    pthread_mutex_t lock;
};

/* The thread's part of the worker's; `ctx` is the outbox. */
void outbox_work(void *ctx, struct worker_job *first);
void outbox_end(void *ctx);

#endif
