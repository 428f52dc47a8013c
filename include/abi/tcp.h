/* Maps of bpf/tcp, host-wide over all network namespaces:
 *   tcp_port    per-CPU hash, struct tcp_key -> struct tcp_stats. Monotonic.
 *   tcp_socket  socket storage, private to the programs.
 *
 * The key space is bounded. User space deletes rows that are idle or crowd the map and keeps what
 * they counted; while the map is full, new ports are counted in the row of port 0, and each such
 * event in map_drops. Resets to segments that belong to no socket are in the server row of port 0
 * too: a port scan must not fill the map.
 *
 * A connect that fails in routing sends no SYN and is told by its failed route lookup, which the
 * kernel traces without saying what became of it. Only what is certain is counted. Left out are:
 *   - a missing route where policy rules were added (`ip rule`): a later rule may have had one;
 *     `unreachable`, `prohibit` and `blackhole` routes are counted there too
 *   - IPv4 sockets bound to a device: the kernel then takes the destination to be on the link
 *   - sockets bound to a local port before connect()
 *   - IPv6 without any source address to choose: that connect fails with EADDRNOTAVAIL
 * `ip route get ... ipproto tcp dport N` that finds no route counts as a failed connect.
 */
#ifndef MOONWATCH_TCP_H
#define MOONWATCH_TCP_H

#include "abi/record_head.h"
#include "abi/slots.h"

enum tcp_role {
    TCP_CLIENT, /* key is the remote port */
    TCP_SERVER, /* key is the local port */
    TCP_ROLE_COUNT,
};

enum connect_failure {
    CONNECT_REFUSED,     /* a RST, or ICMP port unreachable */
    CONNECT_TIMED_OUT,   /* no answer to any SYN */
    CONNECT_UNREACHABLE, /* no route, a route that forbids it, ICMP unreachable, no neighbour */
    CONNECT_RESET,       /* a RST after the peer's SYN (a simultaneous open) */
    CONNECT_NO_PORT,     /* no local port was free */
    CONNECT_ABANDONED,   /* closed by the caller before an answer: most often its own time limit */
    CONNECT_OTHER,
    CONNECT_FAILURE_COUNT,
};

/* New ports beyond this many rows are counted in the `other` row of their role. */
#define TCP_PORTS_MAX 512

struct tcp_key {
    __u16 port; /* host order; 0 is the `other` row */
    __u16 role; /* enum tcp_role */
};

struct tcp_stats {
    struct latency connect;  /* SYN sent to established, clients only */
    struct latency lifetime; /* established to closed */
    struct latency rtt;      /* smoothed RTT, read when established and when closed */
    __u64 connects_failed[CONNECT_FAILURE_COUNT];
    __u64 opened;         /* reached ESTABLISHED */
    __u64 closed;         /* of those; the ones opened before the agent started are counted too */
    __u64 bytes_sent;     /* payload that was acknowledged, of closed connections */
    __u64 bytes_received; /* payload in order, of closed connections */
    __u64 retransmits;    /* segments, as RetransSegs of /proc/net/snmp */
    __u64 resets_sent;    /* as OutRsts; on 6.1 only those of a connection or a listener */
    __u64 resets_received;
};

/* An outgoing TCP connect that failed. Addresses in network order; IPv4 in the first four bytes. */
struct record_connect_failed {
    struct record_head head;
    __u64 cgroup_id;
    __u64 elapsed_ns;  /* since the first SYN; 0 when none was sent */
    __u32 pid;         /* process that called connect(); 0: it did so before the agent started */
    __u32 reason;      /* enum connect_failure */
    __u16 family;      /* AF_INET or AF_INET6; AF_INET for IPv4-mapped addresses */
    __u16 remote_port; /* host order */
    __u32 error;       /* errno, positive; 0 when the caller gave up */
    __u8 remote_addr[16];
    char comm[COMM_BYTES];
};

#endif
