/* Closing the sockets that are open to an upstream, through the kernel's socket diagnosis. */
#include "base/cleanup.h"
#include "probe/breaker_rows.h"
#include "probe/probe_state.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <ftw.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKETS_MAX 4096 /* closed in one call; the next one closes the rest */
#define CGROUPS_BELOW_MAX 1024

struct closing {
    const struct kernel_map *hosts, *prefixes;
    uint32_t upstream;
    bool everybody;
    struct inet_diag_sockid *ids;
    uint8_t *families;
    size_t count;
};

/* nftw() has no context argument; the agent has one thread. */
static uint64_t client_cgroups[CGROUPS_BELOW_MAX];
static size_t client_cgroup_count;

static int add_cgroup(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)at;
    if (type == FTW_D && client_cgroup_count < CGROUPS_BELOW_MAX)
        client_cgroups[client_cgroup_count++] = st->st_ino;
    return 0;
}

static bool is_clients(uint64_t cgroup_id)
{
    for (size_t i = 0; i < client_cgroup_count; i++) {
        if (client_cgroups[i] == cgroup_id)
            return true;
    }
    return false;
}

static uint64_t cgroup_of(const struct nlmsghdr *message)
{
    const struct inet_diag_msg *socket = NLMSG_DATA(message);
    int left = (int)(message->nlmsg_len - NLMSG_LENGTH(sizeof(*socket)));
    const struct rtattr *attribute = (const void *)(socket + 1);
    uint64_t id = 0;

    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
        if (attribute->rta_type == INET_DIAG_CGROUP_ID && RTA_PAYLOAD(attribute) >= sizeof(id))
            memcpy(&id, RTA_DATA(attribute), sizeof(id));
    }
    return id;
}

static bool is_concerned(const struct closing *closing, const struct nlmsghdr *message)
{
    const struct inet_diag_msg *socket = NLMSG_DATA(message);
    struct upstream_key key = {.prefix_bits = 16 + 128, .port = socket->id.idiag_dport};
    struct upstream_value found;

    if (socket->idiag_family == AF_INET) {
        key.addr[10] = key.addr[11] = 0xff;
        memcpy(key.addr + 12, socket->id.idiag_dst, 4);
    } else {
        memcpy(key.addr, socket->id.idiag_dst, 16);
    }
    return (bpf_map_lookup_elem(closing->hosts->fd, &key, &found) == 0 ||
            bpf_map_lookup_elem(closing->prefixes->fd, &key, &found) == 0) &&
           found.upstream == closing->upstream &&
           (closing->everybody || is_clients(cgroup_of(message)));
}

static int send_request(int fd, uint16_t type, uint16_t flags, uint8_t family,
                        const struct inet_diag_sockid *id)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = type,
                   .nlmsg_flags = NLM_F_REQUEST | flags},
        .body = {.sdiag_family = family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = 1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_CLOSE_WAIT |
                                 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2},
    };

    if (id)
        request.body.id = *id;
    return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

/* One message of the kernel's answer. Returns 1 at its end, 0 to go on, or a negative errno. */
static int take_message(struct closing *closing, const struct nlmsghdr *message)
{
    const struct inet_diag_msg *socket = NLMSG_DATA(message);

    if (message->nlmsg_type == NLMSG_DONE)
        return 1;
    if (message->nlmsg_type == NLMSG_ERROR) {
        int err = ((const struct nlmsgerr *)NLMSG_DATA(message))->error;

        return err ? err : 1;
    }
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY || closing->count == SOCKETS_MAX)
        return 0;
    if (!is_concerned(closing, message))
        return 0;
    closing->families[closing->count] = socket->idiag_family;
    closing->ids[closing->count++] = socket->id;
    return 0;
}

static int read_answer(int fd, struct closing *closing)
{
    CLEANUP_FREE char *buffer = malloc(32768);

    if (!buffer)
        return -ENOMEM;
    for (;;) {
        ssize_t n = recv(fd, buffer, 32768, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        for (const struct nlmsghdr *message = (const void *)buffer; NLMSG_OK(message, (size_t)n);
             message = NLMSG_NEXT(message, n)) {
            int done = take_message(closing, message);

            if (done)
                return done < 0 ? done : 0;
        }
    }
}

static int close_found(int fd, struct closing *closing)
{
    int closed = 0, err;

    for (size_t i = 0; i < closing->count; i++) {
        err = send_request(fd, SOCK_DESTROY, NLM_F_ACK, closing->families[i], &closing->ids[i]);
        if (err == 0)
            err = read_answer(fd, closing);
        if (err == -EOPNOTSUPP || err == -EPERM)
            return err;
        closed += err == 0; /* else it was closed meanwhile */
    }
    return closed;
}

int probe_breaker_close_sockets(struct probe *probe, uint32_t upstream, const char *clients)
{
    CLEANUP_FREE struct inet_diag_sockid *ids = calloc(SOCKETS_MAX, sizeof(*ids));
    CLEANUP_FREE uint8_t *families = calloc(SOCKETS_MAX, sizeof(*families));
    struct closing closing = {.hosts = map_find(probe, "upstream_host"),
                              .prefixes = map_find(probe, "upstream_addr"),
                              .upstream = upstream,
                              .everybody = !clients,
                              .ids = ids,
                              .families = families};
    static const uint8_t asked[] = {AF_INET, AF_INET6};
    CLEANUP_CLOSE int fd = -1;

    if (!ids || !families)
        return -ENOMEM;
    if (!closing.hosts || !closing.prefixes)
        return -ENOENT;
    client_cgroup_count = 0;
    if (clients && nftw(clients, add_cgroup, 16, FTW_PHYS) < 0)
        return -errno;
    fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(asked); i++) {
        int err = send_request(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, asked[i], NULL);

        if (err == 0)
            err = read_answer(fd, &closing);
        if (err < 0)
            return err;
    }
    return close_found(fd, &closing);
}
