#include "transfer/responder_port.h"
#include "base/cleanup.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 128u
#define CONNECTION_BYTES 8192u
#define IDLE_SECONDS 10u
/* Rounds in one wake-up before the rest of the agent gets its turn. */
#define RUNS_PER_WAKEUP 8

struct responder_port {
    const struct clock *clock;
    struct MHD_Daemon *daemon;
    struct loop_source *readable, *timeout;
    responder_answer_fn *fn;
    void *ctx;
    uint16_t number;
};

/* One per request. */
struct port_request {
    bool begun;
    char uri[];
};

static void run(struct responder_port *port)
{
    unsigned long long timeout_ms = 0;

    for (int i = 0; i < RUNS_PER_WAKEUP && timeout_ms == 0; i++) {
        MHD_run(port->daemon);
        if (MHD_get_timeout(port->daemon, &timeout_ms) != MHD_YES) {
            loop_set_alarm(port->timeout, 0);
            return;
        }
    }
    loop_set_alarm(port->timeout, clock_monotonic_ns(port->clock) + timeout_ms * NS_PER_MS + 1);
}

static void on_readable(void *ctx, uint32_t epoll_events)
{
    (void)epoll_events;
    run(ctx);
}

static void on_timeout(void *ctx, uint64_t now_ns)
{
    (void)now_ns;
    run(ctx);
}

/* Called first, with the only copy of the URI that has its query; what it returns is the request's.
 */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    size_t bytes = strlen(uri) + 1;
    struct port_request *request = malloc(sizeof(*request) + bytes);

    (void)cls;
    (void)connection;
    if (request) {
        request->begun = false;
        memcpy(request->uri, uri, bytes);
    }
    return request;
}

static void on_end(void *cls, struct MHD_Connection *connection, void **ctx,
                   enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)connection;
    (void)code;
    free(*ctx);
    *ctx = NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **ctx)
{
    const struct responder_port *port = cls;
    struct port_request *request = *ctx;
    struct MHD_Response *response;
    enum MHD_Result queued;
    unsigned status = 0;

    (void)url;
    (void)version;
    (void)upload;
    if (!request)
        return MHD_NO;
    /* What a client sends is read and dropped, so that it comes to reading the answer. */
    if (!request->begun || *upload_bytes) {
        request->begun = true;
        *upload_bytes = 0;
        return MHD_YES;
    }
    response = port->fn(port->ctx, method, request->uri, &status);
    if (!response)
        return MHD_NO;
    queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static int listen_on_loopback(int family, uint16_t *ret_number)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any.sa_family = (sa_family_t)family};
    socklen_t length = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    CLEANUP_CLOSE int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int opened;

    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.v6.sin6_addr = in6addr_loopback;
    if (fd < 0 || bind(fd, &address.any, length) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, &address.any, &length) < 0)
        return -errno;
    *ret_number = ntohs(family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    opened = fd;
    fd = -1; /* kept from the cleanup */ // NOLINT(clang-analyzer-deadcode.DeadStores)
    return opened;
}

static int start(struct responder_port *port, struct loop *loop, int family)
{
    const union MHD_DaemonInfo *info;
    int fd = listen_on_loopback(family, &port->number), r;

    if (fd < 0)
        return fd;
    port->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, port, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, port, MHD_OPTION_NOTIFY_COMPLETED, on_end, port, MHD_OPTION_END);
    if (!port->daemon) {
        close(fd);
        return -EIO;
    }
    info = MHD_get_daemon_info(port->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    r = info ? loop_add_alarm(loop, &port->timeout, on_timeout, port) : -EIO;
    return r < 0 ? r
                 : loop_add_fd(loop, &port->readable, info->epoll_fd, EPOLLIN, on_readable, port);
}

int responder_port_open(struct responder_port **ret, struct loop *loop, const struct clock *clock,
                        int family, responder_answer_fn *fn, void *ctx)
{
    struct responder_port *port = calloc(1, sizeof(*port));
    int r;

    if (!port)
        return -ENOMEM;
    port->clock = clock;
    port->fn = fn;
    port->ctx = ctx;
    r = start(port, loop, family);
    if (r < 0) {
        responder_port_close(port);
        return r;
    }
    *ret = port;
    return 0;
}

void responder_port_close(struct responder_port *port)
{
    if (!port)
        return;
    loop_remove(port->readable);
    loop_remove(port->timeout);
    if (port->daemon)
        MHD_stop_daemon(port->daemon);
    free(port);
}

uint16_t responder_port_number(const struct responder_port *port)
{
    return port ? port->number : 0;
}
