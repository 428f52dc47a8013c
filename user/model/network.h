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

extern const char *const tcp_role_names[]; /* "client", "server", NULL */

void tcp_stats_add(struct tcp_stats *total, const struct tcp_stats *stats);
#define LISTENERS_MAX 16

/* A port that is listened on in the agent's network namespace, with connections that wait to be
 * accepted or were dropped for it. */
struct listener {
    uint32_t port;
    double queue, backlog;
    double usage_percent; /* of what may wait; 100: the next one is dropped */
    double drops_total;   /* since the agent saw it first */
    uint64_t drop_ns;     /* monotonic: when the last of them were seen; 0: never */
    char cgroup[256];     /* v2, of the socket, with a leading slash; "": not known */
};

struct network_snapshot {
    const char *missing; /* neither interfaces nor TCP counters could be read */
    const char *interfaces_missing;
    size_t interface_count;
    const struct interface *interfaces; /* physical ones first, then the busiest */
    struct reading conntrack_entries, conntrack_limit, conntrack_usage_percent;
    struct reading tcp_retransmits_total, tcp_segments_sent_total; /* host-wide, /proc/net/snmp */
    struct reading retransmit_percent; /* of the segments sent since the sample before, 0..100 */
    struct reading listen_overflows_total, listen_drops_total; /* host-wide, /proc/net/netstat */
    struct reading sockets_used; /* /proc/net/sockstat, as all the next */
    struct reading tcp_sockets_in_use, tcp_sockets_orphaned, tcp_sockets_time_wait;
    struct reading tcp_memory_bytes, udp_sockets_in_use, udp_memory_bytes;
    const char *listeners_missing;
    size_t listener_count;
    const struct listener *listeners; /* those that dropped last first, then the fullest */
    const char *ports_missing;        /* why there are no per-port figures, else NULL */
    size_t port_count;
    const struct tcp_port *ports; /* the `other` row (port 0) included */
};

#endif
