/* TCP under test: a network namespace and a probe of the test's own, and loopback connections. */
#ifndef MOONWATCH_TEST_TCP_FIXTURE_H
#define MOONWATCH_TEST_TCP_FIXTURE_H

#include "abi/tcp.h"
#include "own_netns.h"
#include "own_ports.h"
#include "packet_drop.h"
#include "probe_fixture.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>

struct tcp_fixture {
    struct probe_fixture probe;
    struct packet_drop drop;
};

static inline struct tcp_fixture *tcp_fixture_of(void **state)
{
    return *state;
}

/* The probe is opened by the test: some need connections that are older. */
static inline int tcp_setup(void **state)
{
    *state = NULL;
    if (geteuid() != 0)
        return 0;
    *state = calloc(1, sizeof(struct tcp_fixture));
    own_ports_hold();
    netns_enter();
    return 0;
}

static inline int tcp_teardown(void **state)
{
    struct tcp_fixture *f = *state;

    if (!f)
        return 0;
    packet_drop_close(&f->drop);
    fixture_close(&f->probe);
    free(f);
    return 0;
}

/* Until as many packets were lost as the test asked for: a busy CPU delivers late. */
static inline void packet_drop_wait(struct packet_drop *d)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;

    while (packet_drop_left(d) > 0) {
        assert_true(monotonic_ns() < deadline);
        poll(NULL, 0, 1);
    }
}

static inline void tcp_open(struct tcp_fixture *f)
{
    skip_unless_root();
    fixture_open(&f->probe, 1u << CONCERN_TCP, PROBE_AUTO);
}

struct row_query {
    struct tcp_key key;
    uint16_t last_port; /* the rows of key.port .. last_port of one role are added up */
    struct tcp_stats sum;
    size_t rows;
};

static inline void tcp_row_add(void *ctx, const void *key, const void *values, unsigned cpus,
                               size_t stride)
{
    struct row_query *q = ctx;
    uint64_t *sum = (uint64_t *)&q->sum;
    struct tcp_key k;

    memcpy(&k, key, sizeof(k));
    if (k.role != q->key.role || k.port < q->key.port || k.port > q->last_port)
        return;
    q->rows++;
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        uint64_t value[sizeof(struct tcp_stats) / sizeof(uint64_t)];

        memcpy(value, (const char *)values + cpu * stride, sizeof(value));
        for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++)
            sum[i] += value[i];
    }
}

static inline struct row_query rows_of(struct tcp_fixture *f, enum tcp_role role, uint16_t first,
                                       uint16_t last)
{
    struct row_query q = {.key = {.port = first, .role = role}, .last_port = last};

    assert_true(probe_map_for_each(f->probe.probe, "tcp_port", tcp_row_add, &q) >= 0);
    return q;
}

static inline struct tcp_stats row_of(struct tcp_fixture *f, enum tcp_role role, uint16_t port)
{
    return rows_of(f, role, port, port).sum;
}

/* As many as the kernel counts in this namespace, where nobody else uses the port. On a busy
 * machine a segment may be sent again though none was lost. */
static inline void assert_retransmits(struct tcp_fixture *f, uint16_t port, uint64_t least)
{
    uint64_t counted = row_of(f, TCP_CLIENT, port).retransmits;

    counted += row_of(f, TCP_SERVER, port).retransmits;
    assert_true(counted >= least);
    assert_int_equal(counted, snmp_tcp("self", "RetransSegs"));
}

/* Waits until a counter of the row has reached `value`; what it must not exceed is for the test. */
#define WAIT_ROW(f, role, port, field, value)                                                      \
    do {                                                                                           \
        uint64_t deadline_ = monotonic_ns() + DEADLINE_NS;                                         \
                                                                                                   \
        while (row_of((f), (role), (port)).field < (uint64_t)(value)) {                            \
            if (monotonic_ns() > deadline_)                                                        \
                fail_msg(#field " of port %d is %llu, not %llu", (port),                           \
                         (unsigned long long)row_of((f), (role), (port)).field,                    \
                         (unsigned long long)(value));                                             \
            poll(NULL, 0, 2);                                                                      \
        }                                                                                          \
    } while (0)

static inline uint64_t failures_of(const struct tcp_stats *s)
{
    uint64_t sum = 0;

    for (int i = 0; i < CONNECT_FAILURE_COUNT; i++)
        sum += s->connects_failed[i];
    return sum;
}

struct endpoint {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t len;
};

static inline struct endpoint endpoint_of(const char *address, uint16_t port)
{
    struct endpoint e = {0};

    if (inet_pton(AF_INET, address, &e.v4.sin_addr) == 1) {
        e.v4.sin_family = AF_INET;
        e.v4.sin_port = htons(port);
        e.len = sizeof(e.v4);
        return e;
    }
    assert_int_equal(inet_pton(AF_INET6, address, &e.v6.sin6_addr), 1);
    e.v6.sin6_family = AF_INET6;
    e.v6.sin6_port = htons(port);
    e.len = sizeof(e.v6);
    return e;
}

static inline int tcp_socket_for(const struct endpoint *e, int flags)
{
    int fd = socket(e->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    assert_true(fd >= 0);
    return fd;
}

static inline int listen_at(const char *address, uint16_t port, int backlog)
{
    struct endpoint e = endpoint_of(address, port);
    int fd = tcp_socket_for(&e, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(fd, &e.any, e.len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

/* The errno of a blocking connect, positive; 0: connected, `*ret_fd` is the caller's. */
static inline int connect_to(const char *address, uint16_t port, int *ret_fd)
{
    struct endpoint e = endpoint_of(address, port);
    int fd = tcp_socket_for(&e, 0);
    int error = connect(fd, &e.any, e.len) < 0 ? errno : 0;

    if (ret_fd)
        *ret_fd = error ? -1 : fd;
    if (!ret_fd || error)
        close(fd);
    return error;
}

struct pair {
    int client, server;
};

static inline struct pair pair_open(int listener, const char *address, uint16_t port)
{
    struct pair p;

    assert_int_equal(connect_to(address, port, &p.client), 0);
    p.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(p.server >= 0);
    return p;
}

/* What was sent has come: a busy CPU delivers packets late. */
static inline void wait_readable(int fd)
{
    struct pollfd come = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&come, 1, DEADLINE_NS / NS_PER_MS), 1);
}

static inline void send_bytes(int from, int to, size_t bytes)
{
    static char data[65536];
    size_t sent = 0, received = 0;

    while (received < bytes) {
        ssize_t n;

        if (sent < bytes) {
            n = send(from, data, bytes - sent < sizeof(data) ? bytes - sent : sizeof(data),
                     MSG_DONTWAIT | MSG_NOSIGNAL);
            assert_true(n > 0 || errno == EAGAIN);
            sent += n > 0 ? (size_t)n : 0;
        }
        n = recv(to, data, sizeof(data), sent < bytes ? MSG_DONTWAIT : 0);
        assert_true(n > 0 || errno == EAGAIN);
        received += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(received, bytes);
}

/* Both ends, `first` before the other, each waiting for the peer's end. */
static inline void close_in_turn(int first, int second)
{
    char byte;

    shutdown(first, SHUT_WR);
    assert_int_equal(recv(second, &byte, 1, 0), 0);
    close(second);
    assert_int_equal(recv(first, &byte, 1, 0), 0);
    close(first);
}

/* Sends a RST instead of a FIN. */
static inline void close_with_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

#endif
