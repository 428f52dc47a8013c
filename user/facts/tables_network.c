/* Interfaces, conntrack, TCP. */
#include "facts/tables.h"
#include "model/snapshot.h"
#include <arpa/inet.h>
#include <stdio.h>

static void label_interface(const void *row, struct row_labels *ret)
{
    const struct interface *r = row;

    row_label(ret, "interface", r->name);
}

#define TYPE struct interface
static const struct field interface_fields[] = {
    ROW("name", FIELD_CHARS, name),
    WHOLE("received_bytes_per_second", received_bytes_per_second),
    WHOLE("sent_bytes_per_second", sent_bytes_per_second),
    ROW("received_bytes_total", FIELD_DOUBLE, received_bytes_total,
        COUNTER("moonwatch_network_received_bytes", "Bytes received."), WATCHED),
    ROW("received_packets_total", FIELD_DOUBLE, received_packets_total,
        COUNTER("moonwatch_network_received_packets", "Packets received.")),
    ROW("receive_errors_total", FIELD_DOUBLE, receive_errors_total,
        COUNTER("moonwatch_network_receive_errors", "Packets received with an error.")),
    ROW("receive_drops_total", FIELD_DOUBLE, receive_drops_total,
        COUNTER("moonwatch_network_receive_drops", "Packets dropped on the way in.")),
    ROW("sent_bytes_total", FIELD_DOUBLE, sent_bytes_total,
        COUNTER("moonwatch_network_sent_bytes", "Bytes sent."), WATCHED),
    ROW("sent_packets_total", FIELD_DOUBLE, sent_packets_total,
        COUNTER("moonwatch_network_sent_packets", "Packets sent.")),
    ROW("send_errors_total", FIELD_DOUBLE, send_errors_total,
        COUNTER("moonwatch_network_send_errors", "Packets not sent for an error.")),
    ROW("send_drops_total", FIELD_DOUBLE, send_drops_total,
        COUNTER("moonwatch_network_send_drops", "Packets dropped on the way out.")),
};
#undef TYPE

FIELD_METRICS(interface_fields, "interface ", NEED_NOTHING);
const struct field_table interface_table =
    FIELD_TABLE("Interface", interface_fields, NULL, .label = label_interface);

#define TYPE struct network_snapshot
static const struct field network_fields[] = {
    PERCENT("conntrack_usage_percent", conntrack_usage_percent, JUDGED("conntrack")),
    WHOLE("conntrack_entries", conntrack_entries,
          GAUGE("moonwatch_conntrack_entries", "Connections tracked."), WATCHED,
          LIMIT_AT(conntrack_limit)),
    WHOLE("conntrack_limit", conntrack_limit,
          GAUGE("moonwatch_conntrack_limit", "net.netfilter.nf_conntrack_max.")),
    ROW("retransmit_percent", FIELD_READING, retransmit_percent, .decimals = 2,
        .about = "TCP segments sent again, of those sent in the last second"),
    WHOLE("tcp_retransmits_total", tcp_retransmits_total,
          COUNTER("moonwatch_tcp_host_retransmits",
                  "TCP segments sent again, by the kernel's own count since boot."),
          WATCHED),
    WHOLE("tcp_segments_sent_total", tcp_segments_sent_total,
          COUNTER("moonwatch_tcp_host_segments_sent", "TCP segments sent since boot."),
          AFTER("tcp_listen_drops_total")),
    WHOLE("tcp_listen_overflows_total", listen_overflows_total,
          COUNTER("moonwatch_tcp_listen_overflows",
                  "Connections that found an accept queue full, since boot.")),
    WHOLE("tcp_listen_drops_total", listen_drops_total,
          COUNTER("moonwatch_tcp_listen_drops",
                  "Connections dropped by listening sockets for any reason, since boot.")),
    WHOLE("sockets_used", sockets_used, .about = "of all kinds",
          GAUGE("moonwatch_sockets_used", "Sockets of all kinds.")),
    WHOLE("tcp_sockets_in_use", tcp_sockets_in_use,
          GAUGE("moonwatch_tcp_sockets_in_use", "TCP sockets, those in time-wait left out.")),
    WHOLE("tcp_sockets_orphaned", tcp_sockets_orphaned, .about = "held by no process any more",
          GAUGE("moonwatch_tcp_sockets_orphaned",
                "TCP sockets that no process holds any more, of the whole host."),
          WATCHED),
    WHOLE("tcp_sockets_time_wait", tcp_sockets_time_wait,
          GAUGE("moonwatch_tcp_sockets_time_wait", "TCP connections in time-wait."), WATCHED),
    WHOLE("tcp_memory_bytes", tcp_memory_bytes, .about = "of the whole host",
          GAUGE("moonwatch_tcp_memory_bytes",
                "Memory of all TCP sockets' buffers, of the whole host."),
          WATCHED),
    WHOLE("udp_sockets_in_use", udp_sockets_in_use,
          GAUGE("moonwatch_udp_sockets_in_use", "UDP sockets.")),
    WHOLE("udp_memory_bytes", udp_memory_bytes, .about = "of the whole host",
          GAUGE("moonwatch_udp_memory_bytes",
                "Memory of all UDP sockets' buffers, of the whole host.")),
    LIST("listeners", listeners, listener_count, &listener_table, struct listener,
         .missing_at = MISSING_AT(TYPE, listeners_missing),
         .about = "with connections that wait or were dropped, those that dropped last first"),
    LIST("interfaces", interfaces, interface_count, &interface_table, struct interface,
         .missing_at = MISSING_AT(TYPE, interfaces_missing)),
};
#undef TYPE

FIELD_METRICS(network_fields, "", NEED_NOTHING);
const struct field_table network_table = FIELD_TABLE(
    "Network", network_fields, NULL, .missing_at = MISSING_AT(struct network_snapshot, missing));

#define TYPE struct tcp_stats
#define FAILED(name, failure, ...)                                                                 \
    ROW(name, FIELD_U64, connects_failed[failure], .label = {"reason", (name)},                    \
        COUNTER("moonwatch_tcp_connects_failed",                                                   \
                "Outgoing connects that failed, by remote port and reason.",                       \
                .labels = "role port reason "),                                                    \
        __VA_ARGS__)
static const struct field connects_failed_fields[] = {
    FAILED("refused", CONNECT_REFUSED),
    FAILED("timed_out", CONNECT_TIMED_OUT),
    FAILED("unreachable", CONNECT_UNREACHABLE),
    FAILED("reset", CONNECT_RESET),
    FAILED("no_port", CONNECT_NO_PORT, .about = "no free local port"),
    FAILED("abandoned", CONNECT_ABANDONED, .about = "closed by the caller before an answer"),
    FAILED("other", CONNECT_OTHER),
};
#undef TYPE

_Static_assert(sizeof(connects_failed_fields) / sizeof(connects_failed_fields[0]) ==
                   CONNECT_FAILURE_COUNT,
               "a field for each way to fail");

FIELD_METRICS(connects_failed_fields, "role port reason ", NEED_TCP);
static const struct field_table connects_failed_table =
    FIELD_TABLE("ConnectsFailed", connects_failed_fields, "Failed connects by reason.");

static const char *tcp_role(struct field_text *text)
{
    const struct tcp_port *port = text->object;

    return port->key.role < TCP_ROLE_COUNT ? tcp_role_names[port->key.role] : NULL;
}

static const char *tcp_port_name(struct field_text *text)
{
    const struct tcp_port *port = text->object;

    if (port->key.port == 0)
        return "other";
    snprintf(text->buffer, FIELD_TEXT_BYTES, "%u", port->key.port);
    return text->buffer;
}

static void label_port(const void *row, struct row_labels *ret)
{
    const struct tcp_port *r = row;

    snprintf(ret->scratch, sizeof(ret->scratch), "%u", r->key.port);
    row_label(ret, "role", r->key.role < TCP_ROLE_COUNT ? tcp_role_names[r->key.role] : "");
    row_label(ret, "port", r->key.port ? ret->scratch : "other");
}

#define TYPE struct tcp_port
static bool is_client(const void *object, const void *at)
{
    (void)at;
    return ((const struct tcp_port *)object)->key.role == TCP_CLIENT;
}

static const struct field tcp_port_fields[] = {
    COMPUTED("role", tcp_role, .choices = tcp_role_names,
             .unknown = "not a role known to this version"),
    COMPUTED("port", tcp_port_name,
             .about = "remote port of a client, local port of a server; `other` for the rest"),
    ROW("opened_total", FIELD_U64, stats.opened,
        COUNTER("moonwatch_tcp_opened", "Connections established.")),
    ROW("closed_total", FIELD_U64, stats.closed,
        COUNTER("moonwatch_tcp_closed", "Connections closed.")),
    ROW("connects_failed_total", FIELD_OBJECT, stats, .table = &connects_failed_table,
        .told = is_client, AFTER("resets_received_total")),
    ROW("connect", FIELD_LATENCY, stats.connect, .about = "SYN to established, clients only",
        .told = is_client, AFTER("connects_failed_total"),
        HISTOGRAM("moonwatch_tcp_connect_seconds",
                  "Connects from the first SYN to established, by remote port.")),
    ROW("lifetime", FIELD_LATENCY, stats.lifetime,
        HISTOGRAM("moonwatch_tcp_lifetime_seconds", "Connections from established to closed."),
        AFTER("rtt")),
    ROW("rtt", FIELD_LATENCY, stats.rtt, .about = "smoothed round-trip time",
        HISTOGRAM(
            "moonwatch_tcp_rtt_seconds",
            "Smoothed round-trip time, read when a connection is established and when it closes."),
        AFTER("connect")),
    ROW("sent_bytes_total", FIELD_U64, stats.bytes_sent, .about = "of closed connections",
        COUNTER("moonwatch_tcp_sent_bytes", "Bytes acknowledged, of closed connections.")),
    ROW("received_bytes_total", FIELD_U64, stats.bytes_received, .about = "likewise",
        COUNTER("moonwatch_tcp_received_bytes", "Bytes received, of closed connections.")),
    ROW("retransmits_total", FIELD_U64, stats.retransmits,
        COUNTER("moonwatch_tcp_retransmits", "Segments sent again.")),
    ROW("resets_sent_total", FIELD_U64, stats.resets_sent,
        COUNTER("moonwatch_tcp_resets_sent", "Resets sent.")),
    ROW("resets_received_total", FIELD_U64, stats.resets_received,
        COUNTER("moonwatch_tcp_resets_received", "Resets received.")),
};
#undef TYPE

FIELD_METRICS(tcp_port_fields, "role port ", NEED_TCP);
const struct field_table tcp_port_table = FIELD_TABLE(
    "TcpPort", tcp_port_fields, "TCP by port, since the agent started.", .label = label_port);

static const char *failure(struct field_text *text)
{
    const struct connect_failed *event = text->object;

    return event->record.reason < CONNECT_FAILURE_COUNT
               ? connect_failure_name((enum connect_failure)event->record.reason)
               : NULL;
}

static const char *remote(struct field_text *text)
{
    const struct connect_failed *event = text->object;
    char address[INET6_ADDRSTRLEN];

    if (!inet_ntop(event->record.family, event->record.remote_addr, address, sizeof(address)))
        return NULL;
    snprintf(text->buffer, FIELD_TEXT_BYTES, event->record.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
             address, event->record.remote_port);
    return text->buffer;
}

#define TYPE struct connect_failed
static const struct field connect_failed_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "not recorded"),
    COMPUTED("remote", remote, .unknown = "of an address family other than IP"),
    COMPUTED("failure", failure, .choices = connect_failure_names,
             .unknown = "not known to this version"),
    ROW("errno", FIELD_U32, record.error, .about = "0: the caller gave up"),
    ROW("elapsed_seconds", FIELD_DURATION, record.elapsed_ns, .decimals = 6),
    ROW("pid", FIELD_U32, record.pid, .about = "0: it was not seen calling connect()"),
    ROW("comm", FIELD_CHARS, record.comm, .unknown = "it was not seen calling connect()"),
};
#undef TYPE

const struct field_table connect_failed_table =
    FIELD_TABLE("ConnectFailed", connect_failed_fields, "An outgoing TCP connect that failed.");
