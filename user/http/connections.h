/* The open connections, the longest silent first, so that a crowd of idle or dawdling clients
 * cannot keep the others out: when it gets tight, the one that completed a request (or connected)
 * longest ago makes room. libmicrohttpd's own limit alone would stop accepting instead.
 *
 * One that libmicrohttpd has closed stays here until its client took the last of its answer: left
 * to the kernel, it would hold that memory beyond every limit. */
#ifndef MOONWATCH_HTTP_CONNECTIONS_H
#define MOONWATCH_HTTP_CONNECTIONS_H

#include "base/loop.h"
#include <stdbool.h>
#include <stdint.h>

struct connection;

struct connections {
    struct loop *loop; /* NULL: none is kept after its end */
    struct connection *oldest, *newest;
    unsigned count, limit;
    uint64_t accepted_total, evicted_total;
    uint64_t ended_total; /* for libmicrohttpd; some wait for their clients still */
};

/* Evicts the oldest when fewer than a few places are left. `fd` is borrowed until
 * connections_remove(). NULL without memory. */
struct connection *connections_add(struct connections *all, int fd);
/* Ends the oldest, if there is one; what it was sent and did not take is thrown away. */
void connections_evict(struct connections *all);
/* It completed a request. */
void connections_touch(struct connections *all, struct connection *c);
/* Its client took too long: nothing is kept for it. NULL is fine. */
void connections_give_up(struct connection *c);
/* To be called just before its fd is closed. NULL is fine. */
void connections_remove(struct connections *all, struct connection *c);
/* Forgets those that wait for their clients; the kernel has them then. */
void connections_release(struct connections *all);

#endif
