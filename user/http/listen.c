#include "http/listen.h"
#include "base/cleanup.h"
#include "base/open_files.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>

/* What the agent holds beside connections: maps, programs, /proc and /sys files, timers. */
#define FILES_RESERVED 256u
/* What it opens after the server: files of the kernel, checks, notifications. */
#define FILES_LATER 40u
#define CONNECTIONS_LEAST 4u
/* Of what is sent, and of what is received; the kernel takes twice that with what it adds. As much
 * goes out per round trip, so that a scrape over a long way takes few. */
#define BUFFER_BYTES (64 << 10)
/* The kernel's clock of TCP_USER_TIMEOUT goes on while a slow reader takes less than a segment. */
#define TAKING_FACTOR 10

static int parse_port(const char *text, in_port_t *ret)
{
    char *end;
    unsigned long port;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    port = strtoul(text, &end, 10);
    if (*end || port > UINT16_MAX)
        return -EINVAL;
    *ret = htons((uint16_t)port);
    return 0;
}

int listen_parse(const char *text, struct listen_address *ret)
{
    struct listen_address a = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a.address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.address;
    const char *colon = strrchr(text, ':');
    bool bracketed = *text == '[';
    char host[INET6_ADDRSTRLEN];
    size_t len;

    if (!colon || (bracketed && (colon == text || colon[-1] != ']')))
        return -EINVAL;
    len = (size_t)(colon - text) - (bracketed ? 2 : 0);
    if (len == 0 || len >= sizeof(host))
        return -EINVAL;
    memcpy(host, text + bracketed, len);
    host[len] = '\0';
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof(host), "127.0.0.1");
    a.address.ss_family = bracketed ? AF_INET6 : AF_INET;
    a.len = bracketed ? sizeof(*v6) : sizeof(*v4);
    if (inet_pton(a.address.ss_family, host,
                  bracketed ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) != 1)
        return -EINVAL;
    if (parse_port(colon + 1, bracketed ? &v6->sin6_port : &v4->sin_port) < 0)
        return -EINVAL;
    *ret = a;
    return 0;
}

bool listen_is_loopback(const struct listen_address *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->address;

    if (a->address.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void format_address(const struct listen_address *a, char out[LISTEN_TEXT_BYTES])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->address;
    bool is_v6 = a->address.ss_family == AF_INET6;
    char host[INET6_ADDRSTRLEN] = "?";

    inet_ntop(a->address.ss_family,
              is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, host,
              sizeof(host));
    snprintf(out, LISTEN_TEXT_BYTES, is_v6 ? "[%s]:%u" : "%s:%u", host,
             ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
}

/* What a connection may hold of the kernel's memory, and for how long when its client takes
 * nothing. Accepted sockets inherit it; the kernel would let each grow to megabytes. */
static void bound_connections(int fd, unsigned idle_seconds)
{
    const int bytes = BUFFER_BYTES;
    const unsigned taking_ms = TAKING_FACTOR * idle_seconds * 1000;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &taking_ms, sizeof(taking_ms));
}

int listen_open(const struct listen_address *a, unsigned idle_seconds, int *ret_fd,
                char name[LISTEN_TEXT_BYTES])
{
    CLEANUP_CLOSE int fd =
        socket(a->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct listen_address bound = {.len = sizeof(bound.address)};
    int on = 1;

    if (fd < 0)
        return -errno;
    /* A restarted agent takes its port back at once, in spite of connections in TIME_WAIT. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bound_connections(fd, idle_seconds);
    if (bind(fd, (const struct sockaddr *)&a->address, a->len) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound.address, &bound.len) < 0)
        return -errno;
    format_address(&bound, name);
    *ret_fd = fd;
    fd = -1; /* kept from the cleanup */ // NOLINT(clang-analyzer-deadcode.DeadStores)
    return 0;
}

unsigned listen_files_needed(unsigned connections)
{
    return connections + FILES_RESERVED;
}

unsigned listen_fit_connections(unsigned wanted)
{
    unsigned limit = open_files_limit(), taken = open_files_count() + FILES_LATER, fit;

    if (limit >= listen_files_needed(wanted))
        return wanted;
    fit = limit > taken ? limit - taken : 0;
    if (fit < CONNECTIONS_LEAST)
        fit = CONNECTIONS_LEAST;
    return fit < wanted ? fit : wanted;
}
