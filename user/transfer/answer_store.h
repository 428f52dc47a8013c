/* The last good answers of upstreams, in memory and bounded: when there are too many bytes the
 * answer that was stored longest ago goes. Inside this layer only. */
#ifndef MOONWATCH_TRANSFER_ANSWER_STORE_H
#define MOONWATCH_TRANSFER_ANSWER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shared with responses that are on their way to slow clients. */
struct answer_body {
    unsigned users;
    size_t bytes;
    char data[];
};

struct answer_body *answer_body_create(const char *data, size_t bytes); /* NULL: no memory */
struct answer_body *answer_body_share(struct answer_body *body);
void answer_body_release(void *body); /* NULL is fine */

struct stored_answer {
    struct stored_answer *next; /* stored longer ago */
    char *upstream, *path, *content_type;
    unsigned status;
    struct answer_body *body;
    uint64_t stored_ns; /* monotonic */
    bool failing;       /* what came after it was no good answer */
};

struct answer_store {
    size_t limit_bytes;
    size_t bytes; /* of bodies and strings */
    uint64_t evicted_total;
    struct stored_answer *newest;
};

/* Replaces what was there. -EFBIG when it is more than all may have; -ENOMEM. */
int answer_store_put(struct answer_store *store, const char *upstream, const char *path,
                     const char *content_type, unsigned status, const char *body, size_t bytes,
                     uint64_t now_ns);
struct stored_answer *answer_store_find(const struct answer_store *store, const char *upstream,
                                        const char *path); /* NULL: not there */
/* Of an upstream, or of all with NULL. */
void answer_store_drop(struct answer_store *store, const char *upstream);

#endif
