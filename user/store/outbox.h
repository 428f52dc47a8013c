/* The notifications that are to be sent, on disk before they are sent and until they were: at least
 * once, across crashes and restarts, each with its idempotency key.
 *
 * The database is worked on by a thread behind a bounded queue, so that a slow disk delays no tick.
 * What cannot be stored, or not within 2 s since the disk hangs, is sent all the same, and the view
 * says that it was not durable: a full disk must not silence the alert that says so. A damaged
 * database is moved aside and a new one begun with what could be read of it; one whose file is gone
 * is made again with what was in it.
 *
 * All functions are for one thread, that of the event loop.
 */
#ifndef MOONWATCH_STORE_OUTBOX_H
#define MOONWATCH_STORE_OUTBOX_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_QUEUE_MAX 1024
#define OUTBOX_ERROR_BYTES 200
#define OUTBOX_BYTES_DEFAULT (16ULL << 20)
/* Of a body that the agent before left: as much comes with it; the rest is fetched. */
#define OUTBOX_HEAD_BYTES 64

struct outbox_entry {
    const char *channel;
    const char *key; /* unique for the channel */
    const void *body;
    size_t body_bytes;
    uint64_t created_ns;      /* real time; so is the next */
    uint64_t next_attempt_ns; /* 0: now */
    unsigned attempts;        /* failed ones */
};

/* Channel of the notes: what was said, until the state that knows it is saved. No channel can be
 * called so. Their keys are in order. Ready only after a restart, and in no figure of the view. */
#define OUTBOX_NOTES " told"

struct outbox_ops {
    /* May be sent now: it is stored, or cannot be. Called by outbox_dispatch(); the entry is valid
     * during the call. `recovered`: it was left by the agent before; then the body is its head
     * alone, but of a note. */
    void (*ready)(void *ctx, const struct outbox_entry *entry, bool durable, bool recovered);
    /* What outbox_fetch() asked for: the body, unless there is an error. -ENOENT: it is not stored.
     * NULL: nobody fetches. */
    void (*fetched)(void *ctx, const struct outbox_entry *entry, int error);
    void *ctx;
};

struct outbox_config {
    const char
        *path; /* "/var/lib/moonwatch/outbox.sqlite"; its directory is made when it is needed */
    uint64_t max_bytes; /* of the database; 0: OUTBOX_BYTES_DEFAULT */
};

struct outbox;

/* Starts the thread, which loads SQLite, opens the database and hands over what it holds; when
 * there is none yet, with the first entry. Errors of these are in the view. */
int outbox_create(struct outbox **ret, const struct outbox_config *config,
                  const struct outbox_ops *ops);
/* Finishes what is queued, unless the disk hangs for 5 s: that is left to its thread. What was not
 * handed over stays in the database. NULL is fine. */
void outbox_destroy(struct outbox *outbox);

/* Readable when outbox_dispatch() has something to do. */
int outbox_fd(const struct outbox *outbox);
void outbox_dispatch(struct outbox *outbox);
/* Now and then: makes ready what waits for a disk that hangs. */
void outbox_tick(struct outbox *outbox);

/* What is put from here on gets to the database together, with the release. */
void outbox_hold(struct outbox *outbox);
void outbox_release(struct outbox *outbox);

/* Waits for what the agent before has left, or for the answer that it cannot be read; at most so
 * long. outbox_dispatch() has it then. */
void outbox_wait_left(struct outbox *outbox, int timeout_ms);

/* Copies the entry. A key that is there already is not made ready again. -EAGAIN: the queue is
 * full; -EINVAL: no channel or key. */
int outbox_put(struct outbox *outbox, const struct outbox_entry *entry);
/* It was delivered, or given up: forget it. */
int outbox_remove(struct outbox *outbox, const char *channel, const char *key);
/* The same of all keys of the channel up to this one. */
int outbox_remove_up_to(struct outbox *outbox, const char *channel, const char *key);
/* An attempt failed: remembered for after a restart. The caller keeps the entry meanwhile. */
int outbox_retry(struct outbox *outbox, const char *channel, const char *key,
                 uint64_t next_attempt_ns);
/* The body of what was durable; comes by outbox_dispatch(), when the disk can be read. */
int outbox_fetch(struct outbox *outbox, const char *channel, const char *key);

/* One document beside the messages, of which a save writes what differs. It is on the disk with the
 * messages that were put before it, or after them. */
struct outbox_document_result {
    int error; /* negative errno; 0: it is on the disk */
    char why[OUTBOX_ERROR_BYTES];
    uint64_t bytes; /* written */
};
/* What the agent before left, once; waits at most so long for the disk. -ENOENT: nothing;
 * -ETIMEDOUT; -EBADMSG: it is damaged; or why the database cannot be opened. */
int outbox_take_document(struct outbox *outbox, uint64_t wait_ns, cJSON **ret);
/* Takes the document, whatever it returns. -EBUSY: one is being saved; -EAGAIN: the queue is full.
 * `keep_old`: what is there is set aside, in place of what was set aside before. */
int outbox_save_document(struct outbox *outbox, cJSON *json, bool keep_old);
/* Whether the save has ended, with its result: true once. */
bool outbox_document_saved(struct outbox *outbox, struct outbox_document_result *ret);
/* Readable when it has, until outbox_document_saved(). */
int outbox_document_fd(const struct outbox *outbox);
const char *outbox_path(const struct outbox *outbox);

struct outbox_view {
    bool open;     /* the database is */
    size_t queued; /* for the thread, or in its hands */
    uint64_t stored, duplicates, not_durable, removed, recovered; /* since creation */
    uint64_t made_again; /* since its file was gone, with what was in it */
    uint64_t moved_aside;
    char moved_to[256];                 /* the last one moved aside; "" */
    char moved_why[OUTBOX_ERROR_BYTES]; /* what is the matter with it */
    char error[OUTBOX_ERROR_BYTES];     /* the last; "" when the last work went well */
};
void outbox_view(struct outbox *outbox, struct outbox_view *ret);

#endif
