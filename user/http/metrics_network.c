/* Interfaces, connection tracking, TCP. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include <stdio.h>

static size_t label_interface(const void *row, struct label ret[METRIC_LABELS_MAX],
                              char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"interface", ((const struct interface *)row)->name};
    return 1;
}

void metrics_network(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column interfaces[] = {
        DOUBLE_COUNTER("moonwatch_network_received_bytes", "Bytes received.", struct interface,
                       received_bytes_total, 1),
        DOUBLE_COUNTER("moonwatch_network_received_packets", "Packets received.", struct interface,
                       received_packets_total, 1),
        DOUBLE_COUNTER("moonwatch_network_receive_errors", "Packets received with an error.",
                       struct interface, receive_errors_total, 1),
        DOUBLE_COUNTER("moonwatch_network_receive_drops", "Packets dropped on the way in.",
                       struct interface, receive_drops_total, 1),
        DOUBLE_COUNTER("moonwatch_network_sent_bytes", "Bytes sent.", struct interface,
                       sent_bytes_total, 1),
        DOUBLE_COUNTER("moonwatch_network_sent_packets", "Packets sent.", struct interface,
                       sent_packets_total, 1),
        DOUBLE_COUNTER("moonwatch_network_send_errors", "Packets not sent for an error.",
                       struct interface, send_errors_total, 1),
        DOUBLE_COUNTER("moonwatch_network_send_drops", "Packets dropped on the way out.",
                       struct interface, send_drops_total, 1),
    };
    static const struct metric_column host[] = {
        READING_GAUGE("moonwatch_conntrack_entries", "Connections tracked.",
                      struct network_snapshot, conntrack_entries, 1),
        READING_GAUGE("moonwatch_conntrack_limit", "net.netfilter.nf_conntrack_max.",
                      struct network_snapshot, conntrack_limit, 1),
        READING_COUNTER("moonwatch_tcp_host_retransmits",
                        "TCP segments sent again, by the kernel's own count since boot.",
                        struct network_snapshot, tcp_retransmits_total, 1),
        READING_COUNTER("moonwatch_tcp_host_segments_sent", "TCP segments sent since boot.",
                        struct network_snapshot, tcp_segments_sent_total, 1),
    };
    const struct network_snapshot *network = &s->snapshot->network;

    (void)m;
    if (!network->missing)
        METRIC_COLUMNS(
            e, interfaces,
            (&(const struct metric_rows){network->interfaces, sizeof(struct interface),
                                         metrics_shown(network->interface_count, INTERFACES_SHOWN),
                                         label_interface}));
    METRIC_COLUMNS(e, host, (&(const struct metric_rows){network, sizeof(*network), 1, NULL}));
}

static size_t label_port(const void *row, struct label ret[METRIC_LABELS_MAX],
                         char scratch[METRIC_SCRATCH_BYTES])
{
    static const char *const roles[TCP_ROLE_COUNT] = {
        [TCP_CLIENT] = "client",
        [TCP_SERVER] = "server",
    };
    const struct tcp_port *port = row;

    snprintf(scratch, METRIC_SCRATCH_BYTES, "%u", port->key.port);
    ret[0] = (struct label){"role", port->key.role < TCP_ROLE_COUNT ? roles[port->key.role] : ""};
    ret[1] = (struct label){"port", port->key.port ? scratch : "other"};
    return 2;
}

/* Every third bound: a factor of eight is enough to tell a local peer from a far or an ill one, and
 * there may be a port per service. */
#define PORT_STEP 3

static void add_port_histograms(struct exposition *e, const struct tcp_port *ports, size_t count)
{
    static const struct {
        struct metric_family family;
        size_t at;
        bool clients_only;
    } histograms[] = {
        {{"moonwatch_tcp_connect_seconds", METRIC_HISTOGRAM,
          "Connects from the first SYN to established, by remote port."},
         offsetof(struct tcp_port, stats.connect),
         true},
        {{"moonwatch_tcp_rtt_seconds", METRIC_HISTOGRAM,
          "Smoothed round-trip time, read when a connection is established and when it closes."},
         offsetof(struct tcp_port, stats.rtt),
         false},
        {{"moonwatch_tcp_lifetime_seconds", METRIC_HISTOGRAM,
          "Connections from established to closed."},
         offsetof(struct tcp_port, stats.lifetime),
         false},
    };
    struct label labels[METRIC_LABELS_MAX];
    char scratch[METRIC_SCRATCH_BYTES];

    for (size_t h = 0; h < sizeof(histograms) / sizeof(histograms[0]); h++) {
        exposition_family(e, &histograms[h].family);
        for (size_t i = 0; i < count; i++) {
            size_t label_count = label_port(&ports[i], labels, scratch);
            const char *row = (const char *)&ports[i];

            if (!histograms[h].clients_only || ports[i].key.role == TCP_CLIENT)
                exposition_histogram(e, labels, label_count,
                                     (const struct latency *)(row + histograms[h].at), PORT_STEP);
        }
    }
}

static void add_failures(struct exposition *e, const struct tcp_port *ports, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_tcp_connects_failed", METRIC_COUNTER,
        "Outgoing connects that failed, by remote port and reason."};
    struct label labels[METRIC_LABELS_MAX];
    char scratch[METRIC_SCRATCH_BYTES];

    exposition_family(e, &family);
    for (size_t i = 0; i < count; i++) {
        size_t n = label_port(&ports[i], labels, scratch);

        for (int f = 0; f < CONNECT_FAILURE_COUNT && ports[i].key.role == TCP_CLIENT; f++) {
            labels[n] = (struct label){"reason", connect_failure_name((enum connect_failure)f)};
            exposition_count(e, labels, n + 1, ports[i].stats.connects_failed[f]);
        }
    }
}

void metrics_tcp(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_tcp_opened", "Connections established.", struct tcp_port,
                    stats.opened, 1),
        U64_COUNTER("moonwatch_tcp_closed", "Connections closed.", struct tcp_port, stats.closed,
                    1),
        U64_COUNTER("moonwatch_tcp_sent_bytes", "Bytes acknowledged, of closed connections.",
                    struct tcp_port, stats.bytes_sent, 1),
        U64_COUNTER("moonwatch_tcp_received_bytes", "Bytes received, of closed connections.",
                    struct tcp_port, stats.bytes_received, 1),
        U64_COUNTER("moonwatch_tcp_retransmits", "Segments sent again.", struct tcp_port,
                    stats.retransmits, 1),
        U64_COUNTER("moonwatch_tcp_resets_sent", "Resets sent.", struct tcp_port, stats.resets_sent,
                    1),
        U64_COUNTER("moonwatch_tcp_resets_received", "Resets received.", struct tcp_port,
                    stats.resets_received, 1),
    };
    const struct network_snapshot *network = &s->snapshot->network;
    size_t count = metrics_shown(network->port_count, PORTS_SHOWN);

    (void)m;
    if (network->ports_missing)
        return;
    METRIC_COLUMNS(
        e, columns,
        (&(const struct metric_rows){network->ports, sizeof(struct tcp_port), count, label_port}));
    add_failures(e, network->ports, count);
    add_port_histograms(e, network->ports, count);
}
