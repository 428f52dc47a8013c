/* Interfaces, host-wide TCP counters, connection tracking, and TCP by port. */
#include "base/file.h"
#include "collect/collector.h"
#include "collect/interfaces.h"
#include "collect/tcp_ports.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct network_state {
    const struct host *host;
    struct proc_file dev, snmp, netstat, sockstat, tracked, tracked_limit;
    char *buffer, *number;
    size_t capacity, number_capacity;
    struct interfaces interfaces;
    struct tcp_ports *ports;
    struct reading retransmits, segments; /* of the sample before */
    char dev_reason[96], snmp_reason[96], netstat_reason[96], sockstat_reason[96];
    char tracked_reason[96], limit_reason[96];
};

static const char *reason_of(char *reason, size_t size, const char *name, int err)
{
    snprintf(reason, size, "%s: %s", name, strerror(-err));
    return reason;
}

static const char *sample_interfaces(struct network_state *s, uint64_t now_ns)
{
    static const char name[] = "/proc/net/dev";
    ssize_t len = proc_file_read(&s->dev, &s->buffer, &s->capacity);
    int err;

    if (len < 0) {
        interfaces_forget(&s->interfaces);
        return reason_of(s->dev_reason, sizeof(s->dev_reason), name, (int)len);
    }
    err = interfaces_update(&s->interfaces, s->host->sys, scan_of(s->buffer, (size_t)len), now_ns);
    return err < 0 ? reason_of(s->dev_reason, sizeof(s->dev_reason), name, err) : NULL;
}

/* A line of names and one of values, both beginning with `prefix`. */
static bool find_lines(struct scan file, const char *prefix, struct scan *ret_names,
                       struct scan *ret_values)
{
    struct scan line, names = {0};

    while (scan_line(&file, &line)) {
        if (!scan_skip(&line, prefix))
            continue;
        if (names.at) {
            *ret_names = names;
            *ret_values = line;
            return true;
        }
        names = line;
    }
    return false;
}

struct counter {
    const char *name;
    struct reading *reading;
};

static void parse_counters(struct scan file, const char *prefix, const struct counter *counters,
                           size_t counter_count)
{
    struct scan names, values, name, value;
    uint64_t count;

    if (!find_lines(file, prefix, &names, &values))
        return;
    while (scan_word(&names, &name) && scan_word(&values, &value)) {
        if (!scan_is_u64(&value, &count))
            continue; /* MaxConn is -1 */
        for (size_t i = 0; i < counter_count; i++)
            if (scan_is(&name, counters[i].name))
                *counters[i].reading = reading_of((double)count);
    }
}

/* OutSegs leaves retransmitted segments out: what was sent is their sum. */
static struct reading retransmit_percent(const struct network_state *s,
                                         const struct network_snapshot *n)
{
    double again, first;

    if (!reading_known(n->tcp_retransmits_total))
        return n->tcp_retransmits_total;
    if (!reading_known(n->tcp_segments_sent_total))
        return n->tcp_segments_sent_total;
    if (!reading_known(s->retransmits) || !reading_known(s->segments))
        return reading_missing("needs two samples");
    again = n->tcp_retransmits_total.value - s->retransmits.value;
    first = n->tcp_segments_sent_total.value - s->segments.value;
    if (again < 0 || first < 0)
        return reading_missing("the kernel's counters began anew");
    if (again + first == 0)
        return reading_missing("no segment was sent since the sample before");
    return reading_of(100 * again / (again + first));
}

static void sample_tcp(struct network_state *s, struct network_snapshot *n)
{
    ssize_t len = proc_file_read(&s->snmp, &s->buffer, &s->capacity);
    const char *missing = "not in /proc/net/snmp";
    const struct counter counters[] = {{"OutSegs", &n->tcp_segments_sent_total},
                                       {"RetransSegs", &n->tcp_retransmits_total}};

    if (len < 0)
        missing = reason_of(s->snmp_reason, sizeof(s->snmp_reason), "/proc/net/snmp", (int)len);
    n->tcp_retransmits_total = reading_missing(missing);
    n->tcp_segments_sent_total = reading_missing(missing);
    if (len >= 0)
        parse_counters(scan_of(s->buffer, (size_t)len), "Tcp:", counters, 2);
    n->retransmit_percent = retransmit_percent(s, n);
    s->retransmits = n->tcp_retransmits_total;
    s->segments = n->tcp_segments_sent_total;
}

static void sample_listening(struct network_state *s, struct network_snapshot *n)
{
    ssize_t len = proc_file_read(&s->netstat, &s->buffer, &s->capacity);
    const char *missing = "not in /proc/net/netstat";
    const struct counter counters[] = {{"ListenOverflows", &n->listen_overflows_total},
                                       {"ListenDrops", &n->listen_drops_total}};

    if (len < 0)
        missing =
            reason_of(s->netstat_reason, sizeof(s->netstat_reason), "/proc/net/netstat", (int)len);
    n->listen_overflows_total = reading_missing(missing);
    n->listen_drops_total = reading_missing(missing);
    if (len >= 0)
        parse_counters(scan_of(s->buffer, (size_t)len), "TcpExt:", counters, 2);
}

static const struct {
    const char *line, *name;
    size_t at; /* of the reading in struct network_snapshot */
    bool in_pages;
} socket_figures[] = {
    {"sockets:", "used", offsetof(struct network_snapshot, sockets_used), false},
    {"TCP:", "inuse", offsetof(struct network_snapshot, tcp_sockets_in_use), false},
    {"TCP:", "orphan", offsetof(struct network_snapshot, tcp_sockets_orphaned), false},
    {"TCP:", "tw", offsetof(struct network_snapshot, tcp_sockets_time_wait), false},
    {"TCP:", "mem", offsetof(struct network_snapshot, tcp_memory_bytes), true},
    {"UDP:", "inuse", offsetof(struct network_snapshot, udp_sockets_in_use), false},
    {"UDP:", "mem", offsetof(struct network_snapshot, udp_memory_bytes), true},
};

#define SOCKET_FIGURES (sizeof(socket_figures) / sizeof(socket_figures[0]))

static struct reading *socket_reading(struct network_snapshot *n, size_t index)
{
    return (struct reading *)((char *)n + socket_figures[index].at);
}

/* "TCP: inuse 5 orphan 0 tw 2 alloc 7 mem 1", memory in pages. */
static void parse_sockets(struct scan file, struct network_snapshot *n)
{
    double page_bytes = (double)sysconf(_SC_PAGESIZE);
    struct scan line, kind, name;
    uint64_t value;

    while (scan_line(&file, &line)) {
        if (!scan_word(&line, &kind))
            continue;
        while (scan_word(&line, &name) && scan_u64(&line, &value))
            for (size_t i = 0; i < SOCKET_FIGURES; i++)
                if (scan_is(&kind, socket_figures[i].line) &&
                    scan_is(&name, socket_figures[i].name))
                    *socket_reading(n, i) =
                        reading_of((double)value * (socket_figures[i].in_pages ? page_bytes : 1));
    }
}

static void sample_sockets(struct network_state *s, struct network_snapshot *n)
{
    static const char name[] = "/proc/net/sockstat";
    ssize_t len = proc_file_read(&s->sockstat, &s->buffer, &s->capacity);
    const char *missing = "not in /proc/net/sockstat";

    if (len < 0)
        missing = reason_of(s->sockstat_reason, sizeof(s->sockstat_reason), name, (int)len);
    for (size_t i = 0; i < SOCKET_FIGURES; i++)
        *socket_reading(n, i) = reading_missing(missing);
    if (len >= 0)
        parse_sockets(scan_of(s->buffer, (size_t)len), n);
}

static struct reading read_tracking(struct network_state *s, struct proc_file *file,
                                    const char *name, char *reason, size_t size)
{
    /* Before it reads one of /proc/sys the kernel clears as much memory as there is room for, and
     * the buffer of thousands of interfaces has a lot. */
    ssize_t len = proc_file_read_line(file, &s->number, &s->number_capacity);
    struct scan content, line;
    uint64_t value;

    if (len == -ENOENT)
        return reading_missing("connection tracking is not loaded");
    if (len < 0)
        return reading_missing(reason_of(reason, size, name, (int)len));
    content = scan_of(s->number, (size_t)len);
    if (!scan_line(&content, &line) || !scan_u64(&line, &value))
        return reading_missing(reason_of(reason, size, name, -EBADMSG));
    return reading_of((double)value);
}

static void sample_tracking(struct network_state *s, struct network_snapshot *n)
{
    n->conntrack_entries = read_tracking(s, &s->tracked, "nf_conntrack_count", s->tracked_reason,
                                         sizeof(s->tracked_reason));
    n->conntrack_limit = read_tracking(s, &s->tracked_limit, "nf_conntrack_max", s->limit_reason,
                                       sizeof(s->limit_reason));
    if (!reading_known(n->conntrack_entries))
        n->conntrack_usage_percent = n->conntrack_entries;
    else if (!reading_known(n->conntrack_limit))
        n->conntrack_usage_percent = n->conntrack_limit;
    else if (n->conntrack_limit.value == 0)
        n->conntrack_usage_percent = reading_missing("no limit is set");
    else
        n->conntrack_usage_percent =
            reading_of(100 * n->conntrack_entries.value / n->conntrack_limit.value);
}

static void network_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct network_state *s = state;
    struct network_snapshot *n = &snapshot->network;

    n->interfaces_missing = sample_interfaces(s, now_ns);
    n->interface_count = s->interfaces.count;
    n->interfaces = s->interfaces.ranked;
    sample_tcp(s, n);
    sample_listening(s, n);
    sample_sockets(s, n);
    sample_tracking(s, n);
    tcp_ports_sample(s->ports, now_ns, n);
    /* Both are there with any network at all: without them there is no /proc of this host. */
    n->missing = reading_known(n->tcp_segments_sent_total) ? NULL : n->interfaces_missing;
}

/* proc/net is of the network namespace of whoever reads it, wherever that proc is mounted. */
static void open_net(struct proc_file *file, const struct host *host, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", host_is_own(host) ? "net" : "1/net", name);
    proc_file_open(file, host->proc, path);
}

static int network_open(void *state, const struct collector_env *env)
{
    struct network_state *s = state;
    int err = tcp_ports_create(&s->ports, env->probe);

    if (err < 0)
        return err;
    s->host = env->host;
    s->retransmits = s->segments = reading_missing("needs two samples");
    open_net(&s->dev, env->host, "dev");
    open_net(&s->snmp, env->host, "snmp");
    open_net(&s->netstat, env->host, "netstat");
    open_net(&s->sockstat, env->host, "sockstat");
    proc_file_open(&s->tracked, env->host->proc, "sys/net/netfilter/nf_conntrack_count");
    proc_file_open(&s->tracked_limit, env->host->proc, "sys/net/netfilter/nf_conntrack_max");
    return 0;
}

static void network_close(void *state)
{
    struct network_state *s = state;

    proc_file_close(&s->dev);
    proc_file_close(&s->snmp);
    proc_file_close(&s->netstat);
    proc_file_close(&s->sockstat);
    proc_file_close(&s->tracked);
    proc_file_close(&s->tracked_limit);
    tcp_ports_destroy(s->ports);
    interfaces_free(&s->interfaces);
    free(s->buffer);
    free(s->number);
}

const struct collector network_collector = {
    .name = "network",
    .state_size = sizeof(struct network_state),
    .open = network_open,
    .sample = network_sample,
    .close = network_close,
};
