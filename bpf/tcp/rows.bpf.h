/* The rows that TCP events are counted in, and what is remembered of each socket.
 *
 * The programs run in the caller's context and in softirq, so one can interrupt another on its CPU:
 * counters are added to atomically, although the rows are per CPU.
 */
#ifndef MOONWATCH_TCP_ROWS_BPF_H
#define MOONWATCH_TCP_ROWS_BPF_H

#include "abi/tcp.h"
#include "lib/attached_since.bpf.h"
#include "lib/latency.bpf.h"
#include "lib/row_or_other.bpf.h"
#include <bpf/bpf_endian.h>

/* The host's net.ipv4.ip_local_port_range, set by the loader; these are the kernel's defaults. */
const volatile u32 ephemeral_first = 32768;
const volatile u32 ephemeral_last = 60999;

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, TCP_PORTS_MAX + TCP_ROLE_COUNT);
    __type(key, struct tcp_key);
    __type(value, struct tcp_stats);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} tcp_port SEC(".maps");

/* Made when a socket starts to connect or is accepted; freed with the socket by the kernel. */
struct tcp_socket {
    u64 syn_ns;         /* 0: the connect was not seen */
    u64 established_ns; /* 0: not, or not seen */
    u64 cgroup_id;      /* of the process that called connect() */
    u32 pid;
    u32 retransmits; /* of tcp_sock.total_retrans, those already counted */
    struct tcp_key key;
    char comm[COMM_BYTES];
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct tcp_socket);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} tcp_socket SEC(".maps");

/* The source of new rows: too large for the stack. */
static const struct tcp_stats tcp_stats_zero;

/* The row of the key, else that of port 0. */
static __noinline struct tcp_stats *tcp_row(u16 port, u16 role)
{
    struct tcp_key key = {.port = port, .role = role}, other = {.role = role};

    return row_or_other(&tcp_port, &key, &other, &tcp_stats_zero, MAP_DROP_TCP_PORT);
}

static __always_inline u64 tcp_since(u64 since_ns)
{
    return time_since(since_ns, attached_since_ns(ATTACHED_TCP));
}

static __always_inline bool is_ephemeral(u16 port)
{
    return port >= ephemeral_first && port <= ephemeral_last;
}

/* By the ports alone, unless it is known to have been accepted. A listener has no remote port. */
static __always_inline struct tcp_key tcp_key_guess(u16 local, u16 remote, bool accepted)
{
    if (accepted || !remote || (is_ephemeral(remote) && !is_ephemeral(local)))
        return (struct tcp_key){.port = local, .role = TCP_SERVER};
    return (struct tcp_key){.port = remote, .role = TCP_CLIENT};
}

/* Of a socket that nothing is remembered of. */
static __always_inline struct tcp_key tcp_key_of(const struct tcp_sock *tp)
{
    const struct inet_sock *inet = &tp->inet_conn.icsk_inet;

    /* The backlog given to listen() stays in the sockets that are cloned from the listener. The
     * local port is taken from inet_sport because skc_num is cleared before TCP_CLOSE is traced. */
    return tcp_key_guess(bpf_ntohs(inet->inet_sport), bpf_ntohs(inet->sk.__sk_common.skc_dport),
                         inet->sk.sk_max_ack_backlog != 0);
}

#endif
