/* The open connections, the longest silent first, so that a crowd of idle or dawdling clients
 * cannot keep the others out: when it gets tight, the one that completed a request (or connected)
 * longest ago makes room. libmicrohttpd's own limit alone would stop accepting instead. */
#ifndef MOONWATCH_HTTP_CONNECTIONS_H
#define MOONWATCH_HTTP_CONNECTIONS_H

#include <stdint.h>

struct connection {
    int fd; /* belongs to libmicrohttpd */
    struct connection *previous, *next;
};

struct connections {
    struct connection *oldest, *newest;
    unsigned count, limit;
    uint64_t accepted_total, evicted_total;
};

/* Shuts down the oldest connections when fewer than a few places are left. NULL without memory. */
struct connection *connections_add(struct connections *all, int fd);
/* Shuts the oldest down, if there is one. */
void connections_evict(struct connections *all);
/* It completed a request. */
void connections_touch(struct connections *all, struct connection *c);
void connections_remove(struct connections *all, struct connection *c); /* NULL is fine */

#endif
