#include "http/connections.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* libmicrohttpd accepts several connections in one run before it notices those shut down; at most
 * this many places, or an eighth of all, are kept free for them. */
#define PLACES_FREE 32

struct connection {
    int fd; /* libmicrohttpd's, or our own once `draining` */
    struct loop_source *draining;
    struct connections *all;
    struct connection *previous, *next;
};

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

static void drop(struct connections *all, struct connection *c)
{
    if (c->draining) {
        loop_remove(c->draining);
        close(c->fd);
    }
    unlink_one(all, c);
    all->count--;
    free(c);
}

/* Bytes that the client has not acknowledged and still may; the end of the stream counts as one.
 * Once the client or the kernel gave up there are none, and perhaps no error any more to tell so:
 * libmicrohttpd may have had it. */
static int unsent_bytes(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int bytes = 0;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_CLOSE)
        return 0;
    return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? 0 : bytes;
}

/* Has close() throw away what the client did not take. One that took all is closed properly. */
static void throw_away(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (unsent_bytes(fd) > 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static bool is_thrown_away(int fd)
{
    struct linger linger = {0};
    socklen_t len = sizeof(linger);

    return getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff;
}

/* libmicrohttpd owns the socket: it sees the end of the stream, closes it and reports so. Until
 * then the connection stands at the end of the queue, which keeps it from being shut down twice. */
void connections_evict(struct connections *all)
{
    struct connection *c = all->oldest;

    if (!c)
        return;
    throw_away(c->fd);
    all->evicted_total++;
    if (c->draining) {
        drop(all, c);
        return;
    }
    shutdown(c->fd, SHUT_RDWR);
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
    c->all = all;
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

void connections_give_up(struct connection *c)
{
    if (c)
        throw_away(c->fd);
}

static void on_progress(void *ctx, uint32_t epoll_events)
{
    struct connection *c = ctx;

    (void)epoll_events;
    if (unsent_bytes(c->fd) == 0)
        drop(c->all, c);
}

static bool keep(struct connections *all, struct connection *c)
{
    int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return false;
    /* Over TLS libmicrohttpd leaves the end of the stream to close(). */
    shutdown(fd, SHUT_WR);
    /* The kernel wakes us when the end was acknowledged, and when it gave up. */
    if (loop_add_fd(all->loop, &c->draining, fd, EPOLLOUT | EPOLLET, on_progress, c) < 0) {
        close(fd);
        return false;
    }
    c->fd = fd;
    return true;
}

void connections_remove(struct connections *all, struct connection *c)
{
    if (!c)
        return;
    all->ended_total++;
    if (all->loop && unsent_bytes(c->fd) > 1 && !is_thrown_away(c->fd)) {
        if (keep(all, c))
            return;
        throw_away(c->fd);
    }
    drop(all, c);
}

void connections_release(struct connections *all)
{
    struct connection *next;

    all->loop = NULL;
    for (struct connection *c = all->oldest; c; c = next) {
        next = c->next;
        if (c->draining)
            drop(all, c);
    }
}
