/* TCP per port: connect latency, failed connects with their reason, lifetimes, bytes, smoothed RTT,
 * retransmitted segments and resets.
 *
 * What the kernel already counts in tcp_sock is read when a connection ends; nothing runs per
 * packet. MPTCP's subflows are TCP sockets and are counted as such; its own sockets are not TCP.
 */
#include "lib/connect_route.bpf.h"
#include "tcp/connection.bpf.h"
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

/* Called before the state changes. A socket accepted by TCP Fast Open can be closed by its owner
 * before the handshake is complete, and then goes from SYN_RECV to FIN_WAIT1. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, const struct sock *sk, int from, int to)
{
    bool established = to == TCP_ESTABLISHED || (from == TCP_SYN_RECV && to == TCP_FIN_WAIT1);
    bool ended = to == TCP_CLOSE && from != TCP_CLOSE && from != TCP_LISTEN;
    struct tcp_sock *tp;

    if (!established && !ended && to != TCP_SYN_SENT)
        return 0;
    tp = bpf_skc_to_tcp_sock((void *)sk); /* NULL for MPTCP, SCTP, DCCP */
    if (!tp)
        return 0;
    if (to == TCP_SYN_SENT)
        on_connecting(tp);
    else if (established)
        on_established(tp, from);
    else
        on_end(tp, from);
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
