/* TCP per port: connect latency, failed connects with their reason, lifetimes, bytes, smoothed RTT,
 * retransmitted segments and resets.
 *
 * What the kernel already counts in tcp_sock is read when a connection ends; nothing runs per
 * packet. MPTCP's subflows are TCP sockets and are counted as such; its own sockets are not TCP.
 */
#include "tcp/failure.bpf.h"
#include "tcp/route.bpf.h"
#include "tcp/rows.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/fib_table_lookup")
int BPF_PROG(tcp_route4, u32 table, const struct flowi4 *flow, const struct fib_nh_common *nexthop,
             int err)
{
    struct record_connect_failed *record;
    u32 error = connect_route_error4(table, flow, err);

    if (!error)
        return 0;
    record = connect_failed(bpf_ntohs(flow->uli.ports.dport), error);
    if (!record)
        return 0;
    set_caller(record);
    set_remote4(record, flow->daddr);
    emit_submit(record, EMIT_LAZY);
    return 0;
}

SEC("tp_btf/fib6_table_lookup")
int BPF_PROG(tcp_route6, const struct net *net, const struct fib6_result *result,
             struct fib6_table *table, const struct flowi6 *flow)
{
    struct record_connect_failed *record;
    u32 error = connect_route_error6(net, result, table, flow);

    if (!error)
        return 0;
    record = connect_failed(bpf_ntohs(flow->uli.ports.dport), error);
    if (!record)
        return 0;
    set_caller(record);
    set_remote6(record, &flow->daddr);
    emit_submit(record, EMIT_LAZY);
    return 0;
}

static __always_inline struct tcp_socket *socket_find(struct tcp_sock *tp)
{
    return bpf_sk_storage_get(&tcp_socket, tp, NULL, 0);
}

static __always_inline struct tcp_socket *socket_create(struct tcp_sock *tp)
{
    struct tcp_socket *socket =
        bpf_sk_storage_get(&tcp_socket, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);

    if (!socket)
        count_map_drop(MAP_DROP_TCP_SOCKET);
    return socket;
}

/* `socket` may be NULL: nothing is remembered of it. */
static __always_inline struct tcp_key key_of(const struct tcp_sock *tp,
                                             const struct tcp_socket *socket)
{
    return socket ? socket->key : tcp_key_of(tp);
}

static __always_inline u16 remote_port(const struct tcp_sock *tp)
{
    return bpf_ntohs(tp->inet_conn.icsk_inet.sk.__sk_common.skc_dport);
}

static __always_inline void count_rtt(struct tcp_stats *row, const struct tcp_sock *tp)
{
    u32 srtt_us = tp->srtt_us >> 3; /* kept with three binary places */

    if (srtt_us)
        count_latency_atomic(&row->rtt, srtt_us * 1000ULL);
}

/* The socket's own count, and not one per event: before 6.16 the tracepoint is silent about
 * segments that could not be handed to the device, which RetransSegs counts. */
static __always_inline void count_retransmits(struct tcp_stats *row, struct tcp_socket *socket,
                                              const struct tcp_sock *tp)
{
    u32 total = tp->total_retrans;

    if (total != socket->retransmits)
        __sync_fetch_and_add(&row->retransmits, (u32)(total - socket->retransmits));
    socket->retransmits = total;
}

/* connect() before its first SYN, in the context of the caller. The socket may have connected
 * before. */
static __always_inline void on_connecting(struct tcp_sock *tp)
{
    struct tcp_socket *socket = socket_create(tp);

    if (!socket)
        return;
    socket->syn_ns = bpf_ktime_get_ns();
    socket->established_ns = 0;
    socket->cgroup_id = bpf_get_current_cgroup_id();
    socket->pid = bpf_get_current_pid_tgid() >> 32;
    socket->retransmits = tp->total_retrans;
    socket->key = (struct tcp_key){.port = remote_port(tp), .role = TCP_CLIENT};
    bpf_get_current_comm(socket->comm, sizeof(socket->comm));
}

/* From SYN_SENT, or from SYN_RECV: accepted, or connected by a simultaneous open. */
static __always_inline void on_established(struct tcp_sock *tp, int old)
{
    struct tcp_socket *socket = socket_find(tp);
    u64 syn_ns = socket ? tcp_since(socket->syn_ns) : 0;
    bool connecting = socket && socket->syn_ns;
    u64 now_ns = bpf_ktime_get_ns();
    struct tcp_stats *row;
    struct tcp_key key;

    if (connecting)
        key = socket->key;
    else if (old == TCP_SYN_SENT) /* since before the agent started */
        key = (struct tcp_key){.port = remote_port(tp), .role = TCP_CLIENT};
    else
        key = tcp_key_guess(tp->inet_conn.icsk_inet.sk.__sk_common.skc_num, 0, true);
    if (!socket)
        socket = socket_create(tp);
    if (socket) {
        socket->established_ns = now_ns;
        socket->key = key;
        /* An accepted socket begins with the retransmits of its SYN-ACK: those are counted. */
        if (!connecting)
            socket->retransmits = tp->total_retrans;
    }
    row = tcp_row(key.port, key.role);
    if (!row)
        return;
    __sync_fetch_and_add(&row->opened, 1);
    if (syn_ns)
        count_latency_atomic(&row->connect, now_ns - syn_ns);
    count_rtt(row, tp);
}

/* Payload only. bytes_acked also counts our SYN and our FIN, bytes_received the peer's FIN. */
static __always_inline void count_bytes(struct tcp_stats *row, const struct tcp_sock *tp, u32 role,
                                        int old)
{
    u64 sent = tp->bytes_acked, received = tp->bytes_received;
    bool fin_sent = old != TCP_ESTABLISHED && old != TCP_CLOSE_WAIT;
    u64 done = 1ULL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);

    if (role == TCP_CLIENT && sent)
        sent--;
    if (fin_sent && sent && tp->snd_una == tp->write_seq)
        sent--;
    if (received && tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags & done)
        received--;
    __sync_fetch_and_add(&row->bytes_sent, sent);
    __sync_fetch_and_add(&row->bytes_received, received);
}

/* `socket` may be NULL: connecting since before the agent started. */
static __always_inline void on_connect_failed(const struct tcp_sock *tp, struct tcp_socket *socket,
                                              int old)
{
    const struct inet_sock *inet = &tp->inet_conn.icsk_inet;
    u16 port = socket ? socket->key.port : remote_port(tp);
    u32 error = inet->sk.sk_err;
    struct record_connect_failed *record;
    struct tcp_stats *row;

    /* connect() itself failed to find a free port: it returns the error and leaves none behind. */
    if (!error && old == TCP_SYN_SENT && !inet->inet_sport)
        error = EADDRNOTAVAIL;
    /* Given up by its owner it would be in FIN_WAIT1, and a time-out has its error by now. */
    if (!error && old == TCP_SYN_RECV)
        error = ECONNRESET;
    if (socket && tp->total_retrans != socket->retransmits) {
        row = tcp_row(socket->key.port, socket->key.role);
        if (row)
            count_retransmits(row, socket, tp);
    }
    record = connect_failed(port, error);
    if (!record)
        return;
    if (socket) {
        record->cgroup_id = socket->cgroup_id;
        if (tcp_since(socket->syn_ns))
            record->elapsed_ns = record->head.time_ns - socket->syn_ns;
        record->pid = socket->pid;
        __builtin_memcpy(record->comm, socket->comm, sizeof(record->comm));
    }
    if (inet->sk.__sk_common.skc_family == AF_INET)
        set_remote4(record, inet->sk.__sk_common.skc_daddr);
    else
        set_remote6(record, &inet->sk.__sk_common.skc_v6_daddr);
    emit_submit(record, EMIT_LAZY);
}

static __always_inline void on_closed(const struct tcp_sock *tp, struct tcp_socket *socket, int old)
{
    struct tcp_key key = key_of(tp, socket);
    struct tcp_stats *row = tcp_row(key.port, key.role);
    u64 established_ns;

    if (!row)
        return;
    __sync_fetch_and_add(&row->closed, 1);
    count_bytes(row, tp, key.role, old);
    count_rtt(row, tp);
    if (!socket)
        return;
    count_retransmits(row, socket, tp);
    established_ns = tcp_since(socket->established_ns);
    if (established_ns)
        count_latency_atomic(&row->lifetime, bpf_ktime_get_ns() - established_ns);
}

static __always_inline void on_end(struct tcp_sock *tp, int old)
{
    struct tcp_socket *socket = socket_find(tp);

    if (old == TCP_SYN_SENT)
        on_connect_failed(tp, socket, old);
    else if (old != TCP_SYN_RECV)
        on_closed(tp, socket, old);
    else if (socket && socket->syn_ns) /* both sides sent a SYN, then it failed */
        on_connect_failed(tp, socket, old);
}

/* Called before the state changes. A socket accepted by TCP Fast Open can be closed by its owner
 * before the handshake is complete, and then goes from SYN_RECV to FIN_WAIT1. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, const struct sock *sk, int old, int new)
{
    bool established = new == TCP_ESTABLISHED || (old == TCP_SYN_RECV && new == TCP_FIN_WAIT1);
    bool ended = new == TCP_CLOSE &&old != TCP_CLOSE &&old != TCP_LISTEN;
    struct tcp_sock *tp;

    if (!established && !ended && new != TCP_SYN_SENT)
        return 0;
    tp = bpf_skc_to_tcp_sock((void *)sk); /* NULL for MPTCP, SCTP, DCCP */
    if (!tp)
        return 0;
    if (new == TCP_SYN_SENT)
        on_connecting(tp);
    else if (established)
        on_established(tp, old);
    else
        on_end(tp, old);
    return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit, const struct sock *sk, const struct sk_buff *skb)
{
    struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
    const struct tcp_skb_cb *cb = (const void *)skb->cb;
    struct tcp_socket *socket;
    struct tcp_stats *row;
    struct tcp_key key;

    if (!tp)
        return 0;
    socket = socket_find(tp);
    key = key_of(tp, socket);
    row = tcp_row(key.port, key.role);
    if (!row)
        return 0;
    if (socket)
        count_retransmits(row, socket, tp);
    else
        __sync_fetch_and_add(&row->retransmits, BPF_CORE_READ(cb, tcp_gso_segs));
    return 0;
}

/* `sk` is the listener, or the socket itself with TCP Fast Open: both have the local port. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_synack, const struct sock *sk, const struct request_sock *request)
{
    struct tcp_stats *row = tcp_row(sk->__sk_common.skc_num, TCP_SERVER);

    if (row)
        __sync_fetch_and_add(&row->retransmits, 1);
    return 0;
}

/* `sk` may be NULL, or no full socket but a request or one in TIME_WAIT. Verifiers before 6.13 take
 * it for a valid pointer: it is only handed to helpers that check it, and read by probe reads. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_rst_sent, const struct sock *sk, const struct sk_buff *skb)
{
    struct tcp_key key = {.port = 0, .role = TCP_SERVER};
    struct tcp_sock *tp = NULL;
    struct tcp_stats *row;

    if (sk)
        tp = bpf_skc_to_tcp_sock((void *)sk);
    if (tp) {
        key = key_of(tp, socket_find(tp));
    } else if (sk) {
        u16 local = BPF_CORE_READ(sk, __sk_common.skc_num);
        u16 remote = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));

        key = tcp_key_guess(local, remote,
                            BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_NEW_SYN_RECV);
    }
    row = tcp_row(key.port, key.role);
    if (row)
        __sync_fetch_and_add(&row->resets_sent, 1);
    return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_rst_rcvd, struct sock *sk)
{
    struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
    struct tcp_stats *row;
    struct tcp_key key;

    if (!tp)
        return 0;
    key = key_of(tp, socket_find(tp));
    row = tcp_row(key.port, key.role);
    if (row)
        __sync_fetch_and_add(&row->resets_received, 1);
    return 0;
}
