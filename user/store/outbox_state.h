/* The outbox between its two sides: the loop (outbox.c) and the thread that has the database
 * (outbox_thread.c). Inside this layer only. */
#ifndef MOONWATCH_STORE_OUTBOX_STATE_H
#define MOONWATCH_STORE_OUTBOX_STATE_H

#include "store/outbox.h"
#include "store/outbox_queue.h"
#include "store/outbox_store.h"
#include <pthread.h>

struct outbox {
    char *path;
    uint64_t max_bytes;
    struct outbox_ops ops;
    int event_fd;
    uint64_t look_ns; /* of the loop: when it asks for a look next */
    pthread_t thread;
    bool started;
    /* Of the thread alone. */
    struct sqlite_library library;
    struct outbox_store *store; /* NULL: not open */
    uint64_t retry_open_ns;
    bool loaded; /* what was left was handed over */
    /* Between both, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, held, look;       /* `look`: whether the database is still there */
    bool ended, abandoned;       /* whoever comes last releases */
    size_t working;              /* items in the hands of the thread, ... */
    struct outbox_item *batch;   /* ... which leaves what others read of them as it is */
    uint64_t busy_since_ns;      /* of the thread; 0: it waits for work */
    struct outbox_queue work;    /* from the loop; bounded */
    struct outbox_queue results; /* to the loop: bounded by the work and by the database */
    struct outbox_view view;
};

/* The thread; `ctx` is the outbox. */
void *outbox_thread(void *ctx);
/* By whoever of both comes last. */
void outbox_free(struct outbox *outbox);

#endif
