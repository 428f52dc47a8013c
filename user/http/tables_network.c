/* Interfaces, conntrack, TCP. */
#include "http/tables.h"
#include "model/snapshot.h"
#include <arpa/inet.h>
#include <stdio.h>

#define TYPE struct interface
static const struct field interface_fields[] = {
    ROW("name", FIELD_CHARS, name),
    WHOLE("received_bytes_per_second", received_bytes_per_second),
    WHOLE("sent_bytes_per_second", sent_bytes_per_second),
    ROW("received_bytes_total", FIELD_DOUBLE, received_bytes_total),
    ROW("received_packets_total", FIELD_DOUBLE, received_packets_total),
    ROW("receive_errors_total", FIELD_DOUBLE, receive_errors_total),
    ROW("receive_drops_total", FIELD_DOUBLE, receive_drops_total),
    ROW("sent_bytes_total", FIELD_DOUBLE, sent_bytes_total),
    ROW("sent_packets_total", FIELD_DOUBLE, sent_packets_total),
    ROW("send_errors_total", FIELD_DOUBLE, send_errors_total),
    ROW("send_drops_total", FIELD_DOUBLE, send_drops_total),
};
#undef TYPE

const struct field_table interface_table = FIELD_TABLE("Interface", interface_fields, NULL);

#define TYPE struct network_snapshot
static const struct field network_fields[] = {
    PERCENT("conntrack_usage_percent", conntrack_usage_percent),
    WHOLE("conntrack_entries", conntrack_entries),
    WHOLE("conntrack_limit", conntrack_limit),
    ROW("retransmit_percent", FIELD_READING, retransmit_percent, .decimals = 2,
        .about = "TCP segments sent again, of those sent in the last second"),
    WHOLE("tcp_retransmits_total", tcp_retransmits_total),
    WHOLE("tcp_segments_sent_total", tcp_segments_sent_total),
    WHOLE("tcp_listen_overflows_total", listen_overflows_total),
    WHOLE("tcp_listen_drops_total", listen_drops_total),
    LIST("listeners", listeners, listener_count, &listener_table, struct listener,
         .missing_at = MISSING_AT(TYPE, listeners_missing),
         .about = "with connections that wait or were dropped, those that dropped last first"),
    LIST("interfaces", interfaces, interface_count, &interface_table, struct interface,
         .missing_at = MISSING_AT(TYPE, interfaces_missing)),
};
#undef TYPE

const struct field_table network_table = FIELD_TABLE(
    "Network", network_fields, NULL, .missing_at = MISSING_AT(struct network_snapshot, missing));

#define TYPE struct tcp_stats
static const struct field connects_failed_fields[] = {
    ROW("refused", FIELD_U64, connects_failed[CONNECT_REFUSED]),
    ROW("timed_out", FIELD_U64, connects_failed[CONNECT_TIMED_OUT]),
    ROW("unreachable", FIELD_U64, connects_failed[CONNECT_UNREACHABLE]),
    ROW("reset", FIELD_U64, connects_failed[CONNECT_RESET]),
    ROW("no_port", FIELD_U64, connects_failed[CONNECT_NO_PORT], .about = "no free local port"),
    ROW("abandoned", FIELD_U64, connects_failed[CONNECT_ABANDONED],
        .about = "closed by the caller before an answer"),
    ROW("other", FIELD_U64, connects_failed[CONNECT_OTHER]),
};
#undef TYPE

_Static_assert(sizeof(connects_failed_fields) / sizeof(connects_failed_fields[0]) ==
                   CONNECT_FAILURE_COUNT,
               "a field for each way to fail");

static const struct field_table connects_failed_table =
    FIELD_TABLE("ConnectsFailed", connects_failed_fields, "Failed connects by reason.");

static const char *const tcp_roles[] = {[TCP_CLIENT] = "client", [TCP_SERVER] = "server", NULL};

static const char *tcp_role(const void *object, const void *ctx, char buffer[FIELD_TEXT_BYTES])
{
    const struct tcp_port *port = object;

    (void)ctx;
    (void)buffer;
    return port->key.role < TCP_ROLE_COUNT ? tcp_roles[port->key.role] : NULL;
}

static const char *tcp_port_name(const void *object, const void *ctx, char buffer[FIELD_TEXT_BYTES])
{
    const struct tcp_port *port = object;

    (void)ctx;
    if (port->key.port == 0)
        return "other";
    snprintf(buffer, FIELD_TEXT_BYTES, "%u", port->key.port);
    return buffer;
}

#define TYPE struct tcp_port
static const struct field tcp_port_fields[] = {
    COMPUTED("role", tcp_role, .choices = tcp_roles, .unknown = "not a role known to this version"),
    COMPUTED("port", tcp_port_name,
             .about = "remote port of a client, local port of a server; `other` for the rest"),
    ROW("opened_total", FIELD_U64, stats.opened),
    ROW("closed_total", FIELD_U64, stats.closed),
    ROW("connects_failed_total", FIELD_OBJECT, stats, .table = &connects_failed_table),
    ROW("connect", FIELD_LATENCY, stats.connect, .about = "SYN to established, clients only"),
    ROW("lifetime", FIELD_LATENCY, stats.lifetime),
    ROW("rtt", FIELD_LATENCY, stats.rtt, .about = "smoothed round-trip time"),
    ROW("sent_bytes_total", FIELD_U64, stats.bytes_sent, .about = "of closed connections"),
    ROW("received_bytes_total", FIELD_U64, stats.bytes_received, .about = "likewise"),
    ROW("retransmits_total", FIELD_U64, stats.retransmits),
    ROW("resets_sent_total", FIELD_U64, stats.resets_sent),
    ROW("resets_received_total", FIELD_U64, stats.resets_received),
};
#undef TYPE

const struct field_table tcp_port_table =
    FIELD_TABLE("TcpPort", tcp_port_fields, "TCP by port, since the agent started.");

static const char *const failures[CONNECT_FAILURE_COUNT + 1] = {
    "refused", "timed_out", "unreachable", "reset", "no_port", "abandoned", "other"};

static const char *failure(const void *object, const void *ctx, char buffer[FIELD_TEXT_BYTES])
{
    const struct connect_failed *event = object;

    (void)ctx;
    (void)buffer;
    return event->record.reason < CONNECT_FAILURE_COUNT
               ? connect_failure_name((enum connect_failure)event->record.reason)
               : NULL;
}

static const char *remote(const void *object, const void *ctx, char buffer[FIELD_TEXT_BYTES])
{
    const struct connect_failed *event = object;
    char address[INET6_ADDRSTRLEN];

    (void)ctx;
    if (!inet_ntop(event->record.family, event->record.remote_addr, address, sizeof(address)))
        return NULL;
    snprintf(buffer, FIELD_TEXT_BYTES, event->record.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
             address, event->record.remote_port);
    return buffer;
}

#define TYPE struct connect_failed
static const struct field connect_failed_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "not recorded"),
    COMPUTED("remote", remote, .unknown = "of an address family other than IP"),
    COMPUTED("failure", failure, .choices = failures, .unknown = "not known to this version"),
    ROW("errno", FIELD_U32, record.error, .about = "0: the caller gave up"),
    ROW("elapsed_seconds", FIELD_DURATION, record.elapsed_ns, .decimals = 6),
    ROW("pid", FIELD_U32, record.pid, .about = "0: it was not seen calling connect()"),
    ROW("comm", FIELD_CHARS, record.comm, .unknown = "it was not seen calling connect()"),
};
#undef TYPE

const struct field_table connect_failed_table =
    FIELD_TABLE("ConnectFailed", connect_failed_fields, "An outgoing TCP connect that failed.");
