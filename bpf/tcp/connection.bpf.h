/* The life of a connection: when it opens, fails and ends, and what it has done by then. */
#ifndef MOONWATCH_TCP_CONNECTION_BPF_H
#define MOONWATCH_TCP_CONNECTION_BPF_H

#include "tcp/failure.bpf.h"
#include "tcp/rows.bpf.h"
#include <bpf/bpf_core_read.h>

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
static __always_inline void on_established(struct tcp_sock *tp, int from)
{
    struct tcp_socket *socket = socket_find(tp);
    u64 syn_ns = socket ? tcp_since(socket->syn_ns) : 0;
    bool connecting = socket && socket->syn_ns;
    u64 now_ns = bpf_ktime_get_ns();
    struct tcp_stats *row;
    struct tcp_key key;

    if (connecting)
        key = socket->key;
    else if (from == TCP_SYN_SENT) /* since before the agent started */
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
                                        int from)
{
    u64 sent = tp->bytes_acked, received = tp->bytes_received;
    bool fin_sent = from != TCP_ESTABLISHED && from != TCP_CLOSE_WAIT;
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
                                              int from)
{
    const struct inet_sock *inet = &tp->inet_conn.icsk_inet;
    u16 port = socket ? socket->key.port : remote_port(tp);
    u32 error = inet->sk.sk_err;
    struct record_connect_failed *record;
    struct tcp_stats *row;

    /* connect() itself failed to find a free port: it returns the error and leaves none behind. */
    if (!error && from == TCP_SYN_SENT && !inet->inet_sport)
        error = EADDRNOTAVAIL;
    /* Given up by its owner it would be in FIN_WAIT1, and a time-out has its error by now. */
    if (!error && from == TCP_SYN_RECV)
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

static __always_inline void on_closed(const struct tcp_sock *tp, struct tcp_socket *socket,
                                      int from)
{
    struct tcp_key key = key_of(tp, socket);
    struct tcp_stats *row = tcp_row(key.port, key.role);
    u64 established_ns;

    if (!row)
        return;
    __sync_fetch_and_add(&row->closed, 1);
    count_bytes(row, tp, key.role, from);
    count_rtt(row, tp);
    if (!socket)
        return;
    count_retransmits(row, socket, tp);
    established_ns = tcp_since(socket->established_ns);
    if (established_ns)
        count_latency_atomic(&row->lifetime, bpf_ktime_get_ns() - established_ns);
}

static __always_inline void on_end(struct tcp_sock *tp, int from)
{
    struct tcp_socket *socket = socket_find(tp);

    if (from == TCP_SYN_SENT)
        on_connect_failed(tp, socket, from);
    else if (from != TCP_SYN_RECV)
        on_closed(tp, socket, from);
    else if (socket && socket->syn_ns) /* both sides sent a SYN, then it failed */
        on_connect_failed(tp, socket, from);
}

#endif
