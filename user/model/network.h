/* Network interfaces, TCP and conntrack of one tick. */
#ifndef MOONWATCH_MODEL_NETWORK_H
#define MOONWATCH_MODEL_NETWORK_H

#include "abi/tcp.h"
#include "model/reading.h"
#include <stdbool.h>
#include <stddef.h>

struct interface {
    char name[32];
    bool physical; /* there is a device behind it */
    double received_bytes_total, received_packets_total, receive_errors_total, receive_drops_total;
    double sent_bytes_total, sent_packets_total, send_errors_total, send_drops_total;
    struct reading received_bytes_per_second, sent_bytes_per_second;
};

struct tcp_port {
    struct tcp_key key;
    struct tcp_stats stats; /* since the probe was attached */
};

void tcp_stats_add(struct tcp_stats *total, const struct tcp_stats *stats);

struct network_snapshot {
    const char *missing; /* neither interfaces nor TCP counters could be read */
    const char *interfaces_missing;
    size_t interface_count;
    const struct interface *interfaces; /* physical ones first, then the busiest */
    struct reading conntrack_entries, conntrack_limit, conntrack_usage_percent;
    struct reading tcp_retransmits_total, tcp_segments_sent_total; /* host-wide, /proc/net/snmp */
    struct reading retransmit_percent; /* of the segments sent since the sample before, 0..100 */
    const char *ports_missing;         /* why there are no per-port figures, else NULL */
    size_t port_count;
    const struct tcp_port *ports; /* the `other` row (port 0) included */
};

#endif
