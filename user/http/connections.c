#include "http/connections.h"
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

/* libmicrohttpd accepts several connections in one run before it notices those shut down; at most
 * this many places, or an eighth of all, are kept free for them. */
#define PLACES_FREE 32

static void unlink_one(struct connections *all, struct connection *c)
{
    *(c->previous ? &c->previous->next : &all->oldest) = c->next;
    *(c->next ? &c->next->previous : &all->newest) = c->previous;
}

static void append(struct connections *all, struct connection *c)
{
    c->previous = all->newest;
    c->next = NULL;
    *(all->newest ? &all->newest->next : &all->oldest) = c;
    all->newest = c;
}

/* libmicrohttpd owns the socket: it sees the end of the stream, closes it and reports so. Until
 * then the connection stands at the end of the queue, which keeps it from being shut down twice. */
void connections_evict(struct connections *all)
{
    struct connection *c = all->oldest;

    if (!c)
        return;
    shutdown(c->fd, SHUT_RDWR);
    all->evicted_total++;
    connections_touch(all, c);
}

static bool crowded(const struct connections *all)
{
    unsigned eighth = all->limit < 8 ? 1 : all->limit / 8;

    return all->count + (eighth < PLACES_FREE ? eighth : PLACES_FREE) >= all->limit;
}

struct connection *connections_add(struct connections *all, int fd)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->fd = fd;
    if (crowded(all))
        connections_evict(all);
    append(all, c);
    all->count++;
    all->accepted_total++;
    return c;
}

void connections_touch(struct connections *all, struct connection *c)
{
    unlink_one(all, c);
    append(all, c);
}

void connections_remove(struct connections *all, struct connection *c)
{
    if (!c)
        return;
    unlink_one(all, c);
    all->count--;
    free(c);
}
