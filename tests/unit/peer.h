/* A TCP server on the loop of the test itself, which answers well or badly as told. Were the code
 * under test to block, the peer could not answer and the test would never end. */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include "base/loop.h"
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum peer_manner {
    PEER_ANSWERS,      /* `answer` after an empty line, then closes */
    PEER_SPEAKS_FIRST, /* `answer` at once, then closes */
    PEER_HANGS,        /* never says a word */
    PEER_RESETS,       /* RST to the first bytes */
    PEER_NEVER_ENDS,   /* `answer`, then `filler` for as long as it is read */
};

#define PEER_CONNECTIONS_MAX 2048

struct peer_connection {
    struct peer *peer;
    struct loop_source *source;
    int fd;
    bool answering;
    size_t used;
    char request[8192];
};

struct peer {
    struct loop *loop;
    struct loop_source *source;
    int fd;
    uint16_t port;
    char url[64];
    enum peer_manner manner;
    const char *answer, *filler;
    size_t answer_bytes; /* 0: strlen */
    unsigned accepted;
    char request[8192];                           /* the last one */
    void (*seen)(void *ctx, const char *request); /* before it is answered; NULL: nobody */
    void *ctx;
    struct peer_connection *connections[PEER_CONNECTIONS_MAX];
};

static inline void peer_hang_up(struct peer_connection *connection)
{
    struct peer *peer = connection->peer;

    for (unsigned i = 0; i < PEER_CONNECTIONS_MAX; i++)
        if (peer->connections[i] == connection)
            peer->connections[i] = NULL;
    loop_remove(connection->source);
    close(connection->fd);
    free(connection);
}

static inline void peer_answer(struct peer_connection *connection)
{
    const struct peer *peer = connection->peer;
    size_t n = peer->answer_bytes ? peer->answer_bytes : strlen(peer->answer);

    /* Small enough for the socket's buffer. */
    assert_int_equal(send(connection->fd, peer->answer, n, MSG_NOSIGNAL), (ssize_t)n);
    if (peer->manner != PEER_NEVER_ENDS) {
        /* A close with unread bytes would be a reset. */
        shutdown(connection->fd, SHUT_WR);
        return;
    }
    connection->answering = true;
}

static inline void peer_on_event(void *ctx, uint32_t events)
{
    struct peer_connection *connection = ctx;
    struct peer *peer = connection->peer;
    const struct linger reset = {.l_onoff = 1};
    char *at = connection->request + connection->used;
    ssize_t n;

    if (events & EPOLLIN) {
        n = recv(connection->fd, at, sizeof(connection->request) - 1 - connection->used,
                 MSG_DONTWAIT);
        if (peer->manner == PEER_RESETS)
            setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        if (n <= 0 || peer->manner == PEER_RESETS) {
            peer_hang_up(connection);
            return;
        }
        connection->used += (size_t)n;
        at[n] = '\0';
        memcpy(peer->request, connection->request, sizeof(peer->request));
        if ((peer->manner == PEER_ANSWERS || peer->manner == PEER_NEVER_ENDS) &&
            strstr(connection->request, "\r\n\r\n") && !connection->answering) {
            connection->answering = true;
            if (peer->seen)
                peer->seen(peer->ctx, connection->request);
            peer_answer(connection);
            if (peer->manner == PEER_NEVER_ENDS) {
                loop_remove(connection->source);
                loop_add_fd(peer->loop, &connection->source, connection->fd, EPOLLIN | EPOLLOUT,
                            peer_on_event, connection);
            }
        }
    } else if (connection->answering && peer->manner == PEER_NEVER_ENDS) {
        if (send(connection->fd, peer->filler, strlen(peer->filler), MSG_NOSIGNAL | MSG_DONTWAIT) <
            0)
            peer_hang_up(connection);
    } else {
        peer_hang_up(connection);
    }
}

static inline void peer_on_accept(void *ctx, uint32_t events)
{
    struct peer *peer = ctx;
    struct peer_connection *connection;
    int fd = accept4(peer->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        return;
    peer->accepted++;
    connection = calloc(1, sizeof(*connection));
    assert_non_null(connection);
    connection->peer = peer;
    connection->fd = fd;
    for (unsigned i = 0; i < PEER_CONNECTIONS_MAX; i++) {
        if (peer->connections[i])
            continue;
        peer->connections[i] = connection;
        break;
    }
    assert_int_equal(
        loop_add_fd(peer->loop, &connection->source, fd, EPOLLIN, peer_on_event, connection), 0);
    if (peer->manner == PEER_SPEAKS_FIRST)
        peer_answer(connection);
}

static inline struct peer *peer_start(struct loop *loop, enum peer_manner manner,
                                      const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    struct peer *peer = calloc(1, sizeof(*peer));

    assert_non_null(peer);
    peer->loop = loop;
    peer->manner = manner;
    peer->answer = answer;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(peer->fd, 4096), 0);
    getsockname(peer->fd, (struct sockaddr *)&address, &length);
    peer->port = ntohs(address.sin_port);
    snprintf(peer->url, sizeof(peer->url), "http://127.0.0.1:%u/", peer->port);
    assert_int_equal(loop_add_fd(loop, &peer->source, peer->fd, EPOLLIN, peer_on_accept, peer), 0);
    return peer;
}

/* The port refuses connections afterwards. */
static inline void peer_stop(struct peer *peer)
{
    for (unsigned i = 0; i < PEER_CONNECTIONS_MAX; i++)
        if (peer->connections[i])
            peer_hang_up(peer->connections[i]);
    loop_remove(peer->source);
    close(peer->fd);
    free(peer);
}

#endif
