/* Keeps somebody's state on the disk, over restarts: when it is read and written, and what there is
 * to say about it. A change is there as soon as the disk can take it, whether ticks come or not;
 * what only goes on is written every minute.
 *
 * What is damaged is moved aside, what cannot be read, or hangs, is kept as NAME.unread; what
 * cannot be written is tried again.
 */
#ifndef MOONWATCH_STORE_KEEPER_H
#define MOONWATCH_STORE_KEEPER_H

#include "base/loop.h"
#include "store/state_file.h"
#include <stddef.h>

struct keeper;

enum keeper_event {
    KEEPER_RESTORED,
    KEEPER_DAMAGED,    /* begun anew; `moved_to`: NULL, it could not be moved aside */
    KEEPER_UNREADABLE, /* begun anew; `moved_to`: NULL, there is nothing to be moved */
    KEEPER_FAILS,      /* to write; said once, until it does not */
};

struct keeper_said {
    enum keeper_event event;
    const char *path;
    const char *why;      /* of the disk's errors with the path; "" */
    const char *moved_to; /* the name it has then, or gets when the next one is written */
};

struct keeper_ops {
    /* A new document; NULL when memory ran out. */
    cJSON *(*serialize)(void *ctx);
    /* Takes over what was serialized once. Negative, with the reason in `why`: nothing was taken
     * from it, it is damaged. */
    int (*restore)(void *ctx, const cJSON *json, char *why, size_t size);
    /* Grows with each change that must not wait for the minute. */
    uint64_t (*revision)(void *ctx);
    /* Whether there is nothing that would only go on. */
    bool (*is_empty)(void *ctx);
    /* What was serialized last is on the disk; may be NULL. */
    void (*saved)(void *ctx);
    void (*say)(void *ctx, const struct keeper_said *said);
    void *ctx;
};

/* All borrowed. */
struct keeper_config {
    struct loop *loop;
    const struct clock *clock;
    const char *directory, *name; /* of the file; the directory is made when it is needed */
    struct outbox *outbox;        /* beside whose messages it is kept; NULL: in the file */
};

/* Restores what is there. */
int keeper_create(struct keeper **ret, const struct keeper_config *config,
                  const struct keeper_ops *ops);
/* `save`: once more, unless the disk hangs. NULL is fine. */
void keeper_destroy(struct keeper *keeper, bool save);

/* After the state may have changed; and with each tick, for what only goes on. */
void keeper_changed(struct keeper *keeper);

/* The revision that is on the disk; UINT64_MAX: the last try to keep it failed. */
uint64_t keeper_kept(const struct keeper *keeper);
const struct state_file *keeper_file(const struct keeper *keeper);

#endif
