#include "transfer/cares_query.h"
#include "transfer/cares_api.h"
#include "transfer/watch.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"
/* Per server; the second try waits twice as long. */
#define TIMEOUT_MS 2000
#define TRIES 2

#ifndef ARES_OPT_QUERY_CACHE
#define ARES_OPT_QUERY_CACHE (1 << 21)
#endif

struct cares_query {
    struct cares_channel *channel;
    cares_answer_fn *fn; /* NULL: nobody wants to know any more */
    void *ctx;
    bool starting, done;
};

struct cares_socket {
    struct cares_channel *channel;
    struct cares_socket *next;
    struct watch watch;
};

struct cares_channel {
    struct loop *loop;
    const struct clock *clock;
    const struct cares_api *api; /* NULL: not loaded yet */
    ares_channel ares;           /* NULL: not open */
    bool closing;
    unsigned in_flight;
    struct stat resolv_conf; /* as it was when the channel was opened */
    char *servers;           /* NULL: those of /etc/resolv.conf */
    struct loop_source *alarm;
    struct cares_socket *sockets;
};

static void set_alarm(struct cares_channel *channel)
{
    struct timeval space, *left = channel->api->ares_timeout(channel->ares, NULL, &space);
    uint64_t wait_ns;

    if (!left) {
        loop_set_alarm(channel->alarm, 0);
        return;
    }
    wait_ns = (uint64_t)left->tv_sec * NS_PER_SECOND + (uint64_t)left->tv_usec * NS_PER_US;
    /* c-ares counts in whole microseconds: a little late rather than in vain. */
    loop_set_alarm(channel->alarm, clock_monotonic_ns(channel->clock) + wait_ns + NS_PER_MS);
}

static void process(struct cares_channel *channel, ares_socket_t readable, ares_socket_t writable)
{
    channel->api->ares_process_fd(channel->ares, readable, writable);
    set_alarm(channel);
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    struct cares_channel *channel = ctx;

    (void)now_ns;
    if (channel->ares)
        process(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket_ready(void *ctx, uint32_t epoll_events)
{
    const struct cares_socket *socket = ctx;
    int fd = socket->watch.fd;

    /* An error is found by reading. */
    process(socket->channel, epoll_events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
            epoll_events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
}

static void on_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct cares_channel *channel = ctx;
    struct cares_socket **at = &channel->sockets, *socket;
    uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);

    while (*at && (*at)->watch.fd != fd)
        at = &(*at)->next;
    socket = *at;
    if (!events) {
        if (!socket)
            return;
        watch_end(&socket->watch);
        *at = socket->next;
        free(socket);
        return;
    }
    if (!socket) {
        /* Without memory the query runs into its timeout. */
        socket = calloc(1, sizeof(*socket));
        if (!socket)
            return;
        socket->channel = channel;
        socket->watch.fd = fd;
        socket->next = channel->sockets;
        channel->sockets = socket;
    }
    watch_set(&socket->watch, channel->loop, fd, events, on_socket_ready, socket);
}

static void close_ares(struct cares_channel *channel)
{
    if (!channel->ares)
        return;
    channel->closing = true;
    channel->api->ares_destroy(channel->ares);
    channel->closing = false;
    channel->ares = NULL;
    loop_set_alarm(channel->alarm, 0);
}

static int open_ares(struct cares_channel *channel)
{
    /* c-ares 1.31 and later keeps answers unless it is told to for 0 seconds, and a name that has
     * moved would be noticed that much later. The library may be newer than this build's header:
     * the field, beyond what that one knows, is 0 as well; an older library ignores the bit. */
    union {
        struct ares_options known;
        char room[2 * sizeof(struct ares_options)];
    } options = {.room = {0}};
    int status;

    options.known.timeout = TIMEOUT_MS;
    options.known.tries = TRIES;
    options.known.sock_state_cb = on_socket_state;
    options.known.sock_state_cb_data = channel;
    status = channel->api->ares_init_options(&channel->ares, &options.known,
                                             ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                                 ARES_OPT_SOCK_STATE_CB | ARES_OPT_QUERY_CACHE);
    if (status == ARES_SUCCESS && channel->servers)
        status = channel->api->ares_set_servers_ports_csv(channel->ares, channel->servers);
    return status;
}

/* c-ares reads its files when a channel is opened: open it anew when they have changed. */
static int refresh(struct cares_channel *channel, char reason[RESOLVE_REASON_BYTES])
{
    struct stat now = {0};
    int status;

    if (!channel->api) {
        channel->api = cares_api(reason);
        if (!channel->api)
            return -ELIBACC;
        channel->api->ares_library_init(ARES_LIB_INIT_ALL);
    }
    stat(RESOLV_CONF, &now);
    if (channel->ares && !channel->in_flight &&
        (now.st_ino != channel->resolv_conf.st_ino || now.st_size != channel->resolv_conf.st_size ||
         now.st_mtim.tv_sec != channel->resolv_conf.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != channel->resolv_conf.st_mtim.tv_nsec))
        close_ares(channel);
    if (channel->ares)
        return 0;
    status = open_ares(channel);
    if (status != ARES_SUCCESS) {
        snprintf(reason, RESOLVE_REASON_BYTES, "c-ares: %s", channel->api->ares_strerror(status));
        close_ares(channel);
        return -EIO;
    }
    channel->resolv_conf = now;
    return 0;
}

static size_t take(struct resolved_address *addresses, const struct ares_addrinfo *info)
{
    const struct ares_addrinfo_node *node;
    size_t count = 0;

    for (node = info->nodes; node && count < RESOLVE_ADDRESSES_MAX; node = node->ai_next) {
        struct resolved_address *address = &addresses[count];

        *address = (struct resolved_address){.family = node->ai_family};
        if (node->ai_family == AF_INET)
            memcpy(address->bytes, &((const struct sockaddr_in *)(void *)node->ai_addr)->sin_addr,
                   4);
        else if (node->ai_family == AF_INET6)
            memcpy(address->bytes, &((const struct sockaddr_in6 *)(void *)node->ai_addr)->sin6_addr,
                   16);
        else
            continue;
        count++;
    }
    return count;
}

static void on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolved_address addresses[RESOLVE_ADDRESSES_MAX];
    struct cares_query *query = ctx;
    struct cares_channel *channel = query->channel;
    size_t count = status == ARES_SUCCESS && info ? take(addresses, info) : 0;
    const char *reason =
        status == ARES_SUCCESS ? "it has no address" : channel->api->ares_strerror(status);

    (void)timeouts;
    if (info)
        channel->api->ares_freeaddrinfo(info);
    channel->in_flight--;
    query->done = true;
    if (query->fn && !channel->closing)
        query->fn(query->ctx, addresses, count, reason);
    if (!query->starting)
        free(query);
}

int cares_start(struct cares_channel *channel, struct cares_query **query, const char *host,
                cares_answer_fn *fn, void *ctx, char reason[RESOLVE_REASON_BYTES])
{
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct cares_query *made;
    int r = refresh(channel, reason);

    if (r < 0)
        return r;
    made = calloc(1, sizeof(*made));
    if (!made) {
        snprintf(reason, RESOLVE_REASON_BYTES, "out of memory");
        return -ENOMEM;
    }
    *made = (struct cares_query){.channel = channel, .fn = fn, .ctx = ctx, .starting = true};
    channel->in_flight++;
    channel->api->ares_getaddrinfo(channel->ares, host, NULL, &hints, on_answer, made);
    made->starting = false;
    if (made->done)
        free(made);
    else
        *query = made;
    set_alarm(channel);
    return 0;
}

void cares_forget(struct cares_query *query)
{
    if (query)
        query->fn = NULL;
}

int cares_create(struct cares_channel **ret, struct loop *loop, const struct clock *clock)
{
    struct cares_channel *channel = calloc(1, sizeof(*channel));
    int r;

    if (!channel)
        return -ENOMEM;
    channel->loop = loop;
    channel->clock = clock;
    r = loop_add_alarm(loop, &channel->alarm, on_alarm, channel);
    if (r < 0) {
        free(channel);
        return r;
    }
    *ret = channel;
    return 0;
}

void cares_destroy(struct cares_channel *channel)
{
    if (!channel)
        return;
    close_ares(channel);
    loop_remove(channel->alarm);
    free(channel->servers);
    free(channel);
}

int cares_set_servers(struct cares_channel *channel, const char *servers)
{
    char *copied = *servers ? strdup(servers) : NULL;

    if (*servers && !copied)
        return -ENOMEM;
    free(channel->servers);
    channel->servers = copied;
    /* What is under way ends with the old ones. */
    if (channel->ares && !channel->in_flight)
        close_ares(channel);
    return 0;
}
