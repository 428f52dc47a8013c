/* Interfaces, connection tracking, TCP of the host. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"

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
        READING_COUNTER("moonwatch_tcp_listen_overflows",
                        "Connections that found an accept queue full, since boot.",
                        struct network_snapshot, listen_overflows_total, 1),
        READING_COUNTER("moonwatch_tcp_listen_drops",
                        "Connections dropped by listening sockets for any reason, since boot.",
                        struct network_snapshot, listen_drops_total, 1),
        READING_COUNTER("moonwatch_tcp_host_segments_sent", "TCP segments sent since boot.",
                        struct network_snapshot, tcp_segments_sent_total, 1),
    };
    const struct network_snapshot *network = &s->snapshot->network;

    if (!network->missing)
        METRIC_COLUMNS(
            e, interfaces, "interface ", NEED_NOTHING,
            (&(const struct metric_rows){
                network->interfaces, sizeof(struct interface),
                metric_lists_rows(&m->lists, e, LIST_INTERFACES, network->interface_count,
                                  sizeof(interfaces) / sizeof(interfaces[0]), 0),
                label_interface}));
    METRIC_COLUMNS(e, host, "", NEED_NOTHING,
                   (&(const struct metric_rows){network, sizeof(*network), 1, NULL}));
}
