/* TCP sockets that listen, and their queues of connections that nobody has accepted yet, from
 * sock_diag(7) of the agent's network namespace. The kernel counts per socket what it dropped for a
 * full queue: that names the service behind TcpExt ListenDrops, which is one number for the host.
 */
#include "base/fitted_name.h"
#include "base/top.h"
#include "collect/collector.h"
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A dump of a hundred listeners takes some 50 us. */
#define EVERY_NS (5 * NS_PER_SECOND)
#define DROPPING_NS (60 * NS_PER_SECOND) /* every tick for so long after a drop */
#define SOCKETS_MAX 1024
#define DUMP_BYTES 32768 /* what the kernel fills at most at once */

struct listening {
    uint64_t cookie; /* of the kernel, never used again */
    bool seen;
    uint16_t port;
    uint64_t cgroup_id; /* v2; 0: not told */
    uint32_t queue, backlog;
    uint32_t drops; /* as the kernel counts */
    double drops_total;
    uint64_t drop_ns;
};

struct listener_state {
    struct cgroup_paths *cgroups;
    int fd;
    uint32_t sequence;
    uint64_t next_ns, now_ns;
    struct reading overflows, drops; /* of the host, of the sample before */
    uint64_t host_drop_ns;           /* 0: never */
    size_t count;
    struct listening sockets[SOCKETS_MAX];
    struct listener rows[LISTENERS_MAX];
    size_t row_count;
    const char *missing;
    char reason[96];
};

static struct listening *find_or_add(struct listener_state *s, uint64_t cookie, uint32_t drops)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->sockets[i].cookie == cookie)
            return &s->sockets[i];
    if (s->count == SOCKETS_MAX)
        return NULL;
    /* What it dropped before it was seen first is no news. */
    s->sockets[s->count] = (struct listening){.cookie = cookie, .drops = drops};
    return &s->sockets[s->count++];
}

static void take_socket(struct listener_state *s, const struct inet_diag_msg *m, size_t len)
{
    const char *at = (const char *)(m + 1), *end = (const char *)m + len;
    uint64_t cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
    uint64_t cgroup_id = 0;
    uint32_t drops = 0;
    struct listening *socket;

    while ((size_t)(end - at) >= sizeof(struct nlattr)) {
        struct nlattr attr;

        memcpy(&attr, at, sizeof(attr));
        if (attr.nla_len < NLA_HDRLEN || attr.nla_len > (size_t)(end - at))
            break;
        if (attr.nla_type == INET_DIAG_SKMEMINFO &&
            attr.nla_len >= NLA_HDRLEN + (SK_MEMINFO_DROPS + 1) * sizeof(uint32_t))
            memcpy(&drops, at + NLA_HDRLEN + SK_MEMINFO_DROPS * sizeof(uint32_t), sizeof(drops));
        else if (attr.nla_type == INET_DIAG_CGROUP_ID &&
                 attr.nla_len >= NLA_HDRLEN + sizeof(cgroup_id))
            memcpy(&cgroup_id, at + NLA_HDRLEN, sizeof(cgroup_id));
        if (NLA_ALIGN(attr.nla_len) >= end - at)
            break;
        at += NLA_ALIGN(attr.nla_len);
    }
    socket = find_or_add(s, cookie, drops);
    if (!socket)
        return;
    if (drops != socket->drops) {
        socket->drops_total += drops - socket->drops; /* wraps as the kernel's does */
        socket->drop_ns = s->now_ns;
    }
    socket->drops = drops;
    socket->seen = true;
    socket->port = ntohs(m->id.idiag_sport);
    socket->cgroup_id = cgroup_id;
    socket->queue = m->idiag_rqueue;
    socket->backlog = m->idiag_wqueue;
}

static int ask(struct listener_state *s, uint8_t family)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 request;
    } message = {
        .head = {.nlmsg_len = sizeof(message),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = ++s->sequence},
        .request = {.sdiag_family = family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
                    .idiag_states = 1 << TCP_LISTEN},
    };

    return send(s->fd, &message, sizeof(message), MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* 1: there is more to come. */
static int take_messages(struct listener_state *s, const char *buffer, size_t len)
{
    const struct nlmsghdr *head = (const void *)buffer;

    for (; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
        if (head->nlmsg_seq != s->sequence)
            continue;
        if (head->nlmsg_type == NLMSG_DONE)
            return 0;
        if (head->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *e = NLMSG_DATA(head);

            return head->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) || e->error >= 0 ? -EPROTO : e->error;
        }
        if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            take_socket(s, NLMSG_DATA(head), head->nlmsg_len - NLMSG_HDRLEN);
    }
    return 1;
}

static int dump(struct listener_state *s, uint8_t family)
{
    static _Alignas(struct nlmsghdr) char buffer[DUMP_BYTES];
    int r = ask(s, family);

    if (r < 0)
        return r;
    do {
        ssize_t len = recv(s->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        if (len <= 0)
            return len < 0 ? -errno : -EPROTO;
        r = take_messages(s, buffer, (size_t)len);
    } while (r > 0);
    return r;
}

static void remove_unseen(struct listener_state *s)
{
    for (size_t i = s->count; i-- > 0;)
        if (!s->sockets[i].seen)
            s->sockets[i] = s->sockets[--s->count];
}

static int dump_all(struct listener_state *s)
{
    int r, r6;

    for (size_t i = 0; i < s->count; i++)
        s->sockets[i].seen = false;
    r = dump(s, AF_INET);
    r6 = dump(s, AF_INET6);
    /* A kernel without IPv6 has no sockets of it. */
    if (r6 < 0 && r6 != -ENOENT)
        r = r6;
    if (r >= 0)
        remove_unseen(s);
    return r;
}

/* The kernel lets one more wait than the backlog says. */
static double share(const struct listening *socket)
{
    return socket->queue > socket->backlog ? 100
                                           : 100.0 * socket->queue / ((double)socket->backlog + 1);
}

static bool before(const void *left, const void *right)
{
    const struct listener *a = left, *b = right;

    return a->drop_ns != b->drop_ns ? a->drop_ns > b->drop_ns : a->usage_percent > b->usage_percent;
}

/* Sockets of one port are one row: SO_REUSEPORT, and IPv4 beside IPv6. */
static void add_to_row(struct listener *row, const struct listening *socket)
{
    row->drops_total += socket->drops_total;
    if (socket->drop_ns > row->drop_ns)
        row->drop_ns = socket->drop_ns;
    if (share(socket) < row->usage_percent)
        return;
    row->usage_percent = share(socket);
    row->queue = socket->queue;
    row->backlog = socket->backlog;
}

static struct listener *row_of_port(struct listener_state *s, uint16_t port)
{
    for (size_t i = 0; i < s->row_count; i++)
        if (s->rows[i].port == port)
            return &s->rows[i];
    return NULL;
}

static void name_cgroup(struct listener_state *s, const struct listening *socket,
                        struct listener *row)
{
    const char *path = NULL;

    if (socket->cgroup_id)
        path = cgroup_paths_find(s->cgroups, socket->cgroup_id, s->now_ns).path;
    if (path)
        fitted_name(path, row->cgroup, sizeof(row->cgroup));
}

/* Only what has something waiting or dropped: most listeners never do. */
static void make_rows(struct listener_state *s)
{
    s->row_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct listening *socket = &s->sockets[i];
        struct listener *row = row_of_port(s, socket->port), fresh = {.port = socket->port};

        if (row) {
            add_to_row(row, socket);
            continue;
        }
        if (socket->queue == 0 && socket->drops_total == 0)
            continue;
        add_to_row(&fresh, socket);
        name_cgroup(s, socket, &fresh);
        top_offer(s->rows, &s->row_count, LISTENERS_MAX, sizeof(fresh), &fresh, before);
    }
}

static bool rose(struct reading *before, struct reading now)
{
    bool more = reading_known(*before) && reading_known(now) && now.value > before->value;

    *before = now;
    return more;
}

static void listener_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct listener_state *s = state;
    struct network_snapshot *network = &snapshot->network;
    bool overflowed = rose(&s->overflows, network->listen_overflows_total);
    bool dropped = rose(&s->drops, network->listen_drops_total);

    if (overflowed || dropped)
        s->host_drop_ns = now_ns;
    s->now_ns = now_ns;
    if (s->fd >= 0 &&
        (now_ns >= s->next_ns || (s->host_drop_ns && now_ns - s->host_drop_ns < DROPPING_NS))) {
        int r = dump_all(s);

        s->next_ns = now_ns + EVERY_NS;
        s->missing = NULL;
        if (r < 0) {
            snprintf(s->reason, sizeof(s->reason), "sock_diag: %s", strerror(-r));
            s->missing = s->reason;
            s->count = 0;
        }
        make_rows(s);
    }
    network->listeners_missing = s->missing;
    network->listener_count = s->row_count;
    network->listeners = s->rows;
}

static int listener_open(void *state, const struct collector_env *env)
{
    struct listener_state *s = state;

    s->cgroups = env->cgroups;
    s->overflows = s->drops = reading_missing("needs two samples");
    s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (s->fd < 0) {
        snprintf(s->reason, sizeof(s->reason), "sock_diag: %s", strerror(errno));
        s->missing = s->reason;
    }
    return 0;
}

static void listener_close(void *state)
{
    struct listener_state *s = state;

    if (s->fd >= 0)
        close(s->fd);
}

const struct collector listeners_collector = {
    .name = "listeners",
    .state_size = sizeof(struct listener_state),
    .open = listener_open,
    .sample = listener_sample,
    .close = listener_close,
};
