/* The connections that calls are made on: whose they are, when they open, fail, break and end.
 *
 * All of it is told by inet_sock_set_state, which fires before the state changes: a RST has left
 * its error in sk_err by then, a FIN its mark in SOCK_DONE and its place in rcv_nxt.
 */
#ifndef MOONWATCH_CALL_CONNECTION_BPF_H
#define MOONWATCH_CALL_CONNECTION_BPF_H

#include "call/outcome.bpf.h"
#include "call/service.bpf.h"
#include "lib/connect_client.bpf.h"
#include "lib/connect_error.bpf.h"
#include "lib/netns.bpf.h"
#include <bpf/bpf_core_read.h>

#define RCV_SHUTDOWN 1 /* include/net/sock.h; close() sets it, shutdown(SHUT_WR) does not */

static __always_inline struct sock_common *common_of(struct tcp_sock *tp)
{
    return &tp->inet_conn.icsk_inet.sk.__sk_common;
}

static __always_inline bool has_flag(struct tcp_sock *tp, u32 bit)
{
    return common_of(tp)->skc_flags >> bit & 1;
}

/* Payload came in that was not seen to be read: the answer, or its beginning, is there. The process
 * may have it already: a FIN that arrives while it reads is taken before the read is traced. */
static __always_inline bool is_unread(const struct call_socket *socket, struct tcp_sock *tp)
{
    bool fin = has_flag(tp, bpf_core_enum_value(enum sock_flags, SOCK_DONE));

    return (s32)(tp->rcv_nxt - socket->copied_seq - fin) > 0;
}

/* Payload that the peer has acknowledged: bytes_acked also counts our SYN and our FIN. */
static __always_inline u64 sent_of(const struct call_socket *socket, const struct tcp_sock *tp,
                                   bool fin_sent)
{
    u64 sent = tp->bytes_acked;

    if (socket->role == CALL_CLIENT && sent)
        sent--;
    if (fin_sent && sent && tp->snd_una == tp->write_seq)
        sent--;
    return sent;
}

/* Without the peer's FIN, which bytes_received counts too. */
static __always_inline u64 received_of(struct tcp_sock *tp)
{
    u64 received = tp->bytes_received;

    if (received && has_flag(tp, bpf_core_enum_value(enum sock_flags, SOCK_DONE)))
        received--;
    return received;
}

/* What the kernel counts for each connection, as far as it was not added to the row yet. */
static __always_inline void count_progress(struct call_socket *socket, struct call_stats *stats,
                                           struct tcp_sock *tp, bool fin_sent)
{
    u64 sent = sent_of(socket, tp, fin_sent), received = received_of(tp), before;
    u32 retransmits = tp->total_retrans, srtt_us = tp->srtt_us >> 3;
    u32 segments = tp->data_segs_out;

    if (sent != socket->bytes_sent) {
        before = __sync_lock_test_and_set(&socket->bytes_sent, sent);
        __sync_fetch_and_add(&stats->bytes_sent, sent - before);
    }
    if (received != socket->bytes_received) {
        before = __sync_lock_test_and_set(&socket->bytes_received, received);
        __sync_fetch_and_add(&stats->bytes_received, received - before);
    }
    if (segments != socket->segments_sent) {
        before = __sync_lock_test_and_set(&socket->segments_sent, segments);
        __sync_fetch_and_add(&stats->segments_sent, (u32)(segments - (u32)before));
    }
    if (retransmits != socket->retransmits) {
        before = __sync_lock_test_and_set(&socket->retransmits, retransmits);
        __sync_fetch_and_add(&stats->retransmits, (u32)(retransmits - (u32)before));
    }
    if (!srtt_us)
        return;
    __sync_fetch_and_add(&stats->srtt_ns_sum, srtt_us * 1000ULL);
    __sync_fetch_and_add(&stats->srtt_count, 1);
}

/* A connect that no breaker's program has decided: what would it have decided? Returns the epoch
 * it is a probe of, or 0. */
static __always_inline u64 observe(struct breaker_row *row, u64 word)
{
    u32 state = BREAKER_STATE_OF(word);

    if (state == BREAKER_HALF_OPEN && take_ticket(row))
        return BREAKER_EPOCH_OF(word);
    if (state == BREAKER_HALF_OPEN || state == BREAKER_OPEN || state == BREAKER_FORCED_OPEN)
        __sync_fetch_and_add(&row->would_refuse_total, 1);
    return 0;
}

static __always_inline struct upstream_value *upstream_find(struct tcp_sock *tp,
                                                            struct upstream_key *key)
{
    if (common_of(tp)->skc_family == AF_INET) {
        upstream_key_set4(key, common_of(tp)->skc_daddr, common_of(tp)->skc_dport);
    } else {
        u32 words[4] = {};

        bpf_core_read(words, sizeof(words), &common_of(tp)->skc_v6_daddr);
        upstream_key_set(key, words, common_of(tp)->skc_dport);
    }
    return upstream_lookup(key);
}

/* NULL: nobody's, or not to be followed. */
static __always_inline struct upstream_value *upstream_of(struct tcp_sock *tp,
                                                          struct upstream_key *key)
{
    struct upstream_value *found = upstream_find(tp, key);
    struct breaker_row *row = found ? breaker_row_of(found->upstream) : NULL;

    if (!row || !is_client(row) || !is_netns_of(row, tp) || is_agent(breaker_agent_find()))
        return NULL;
    return found;
}

/* connect() before its first SYN, in the context of the caller. The socket may have connected
 * before. */
static __always_inline void on_connecting(struct tcp_sock *tp)
{
    struct upstream_key key = {};
    struct upstream_value *found = upstream_of(tp, &key);
    struct call_socket *socket =
        bpf_sk_storage_get(&call_socket, tp, NULL, found ? BPF_SK_STORAGE_GET_F_CREATE : 0);
    struct breaker_row *row;
    u64 ticket, word;
    u32 redirected;

    if (!socket) {
        if (found)
            count_map_drop(MAP_DROP_CALL_SOCKET);
        return;
    }
    ticket = socket->ticket;
    redirected = socket->redirected;
    if (socket->role != CALL_UNKNOWN || ticket)
        *socket = (struct call_socket){};
    socket->role = CALL_NOBODY;
    row = found ? breaker_row_of(found->upstream) : NULL;
    if (!row)
        return;
    word = breaker_word(row);
    /* Sent to a fallback that is an address of the same upstream: it speaks for itself alone. */
    if (redirected == found->upstream + 1 && ticket == word)
        return;
    count_attempt(found->upstream);
    if (!row->enforce)
        socket->probe_epoch = observe(row, word);
    else if (ticket && !redirected)
        socket->probe_epoch = BREAKER_EPOCH_OF(ticket);
    socket->row = found->upstream;
    socket->retransmits = tp->total_retrans;
    socket->segments_sent = tp->data_segs_out;
    socket->peer.upstream = found->upstream;
    socket->peer.address = found->address;
    socket->peer.pid = bpf_get_current_pid_tgid() >> 32;
    socket->peer.remote_port = bpf_ntohs(key.port);
    __builtin_memcpy(socket->peer.remote_addr, key.addr, sizeof(key.addr));
    bpf_get_current_comm(socket->peer.comm, sizeof(socket->peer.comm));
    socket->call = call_since(bpf_ktime_get_ns()) | CALL_FLAG_CONNECTING;
    socket->role = CALL_CLIENT;
}

static __always_inline void on_connected(struct call_socket *socket, struct tcp_sock *tp)
{
    struct call_stats *stats = call_stats_of(socket);

    __sync_lock_test_and_set(&socket->call, 0);
    socket->established = 1;
    socket->idle_seq = socket->sent_seq = tp->write_seq;
    socket->copied_seq = tp->copied_seq;
    if (stats)
        __sync_fetch_and_add(&stats->opened, 1);
}

static __always_inline void on_connect_failed(struct call_socket *socket, struct tcp_sock *tp)
{
    const struct inet_sock *inet = &tp->inet_conn.icsk_inet;
    u64 call = __sync_lock_test_and_set(&socket->call, 0);
    struct call_stats *stats = call_stats_of(socket);
    u32 error = inet->sk.sk_err, reason;

    socket->role = CALL_NOBODY;
    if (!stats)
        return;
    /* connect() itself found no free port: it returns that and leaves no error behind. */
    if (!error && !inet->inet_sport)
        error = EADDRNOTAVAIL;
    reason = connect_failure_of(error);
    if (reason == CONNECT_ABANDONED || reason == CONNECT_NO_PORT || error == ECONNABORTED) {
        __sync_fetch_and_add(&stats->connects_abandoned, 1);
        return;
    }
    if (reason > CONNECT_RESET)
        reason = CALL_CONNECT_OTHER;
    socket->role = CALL_CLIENT;
    if (!(call & CALL_FLAG_TIMED_OUT))
        call_failed(socket, stats, reason, call, bpf_ktime_get_ns());
    socket->role = CALL_NOBODY;
}

/* Why a client's call ends with this change of state; CALL_FAILURE_COUNT: by the client itself. */
static __always_inline u32 client_break_of(struct tcp_sock *tp, int from, int to)
{
    u32 error = tp->inet_conn.icsk_inet.sk.sk_err;
    bool dead = has_flag(tp, bpf_core_enum_value(enum sock_flags, SOCK_DEAD));

    if (to == TCP_CLOSE_WAIT)
        return CALL_CLOSED;
    if (to == TCP_CLOSE && error && error != ECONNABORTED)
        return error == ETIMEDOUT || error == EHOSTUNREACH ? CALL_TIMED_OUT : CALL_RESET;
    /* It had only shut down its sending side: the peer closed. */
    if (to == TCP_CLOSE && !error && !dead &&
        (from == TCP_FIN_WAIT1 || from == TCP_FIN_WAIT2 || from == TCP_CLOSING))
        return CALL_CLOSED;
    return CALL_FAILURE_COUNT;
}

/* The client's goodbye, with its FIN behind it, is a call that nobody waits for. */
static __always_inline u32 service_break_of(struct tcp_sock *tp)
{
    if (tp->inet_conn.icsk_inet.sk.sk_err ||
        has_flag(tp, bpf_core_enum_value(enum sock_flags, SOCK_DONE)))
        return CALL_FAILURE_COUNT;
    return CALL_CLOSED;
}

/* After this change of state no answer can come (client) or go (service) any more. A client that
 * has only shut down its sending side still wants one, and so does one of a service. */
static __always_inline bool is_final(const struct call_socket *socket, const struct tcp_sock *tp,
                                     int to)
{
    if (to == TCP_CLOSE)
        return true;
    if (socket->role == CALL_SERVER)
        return to == TCP_FIN_WAIT1 || to == TCP_LAST_ACK;
    return to == TCP_CLOSE_WAIT ||
           (to == TCP_FIN_WAIT1 && tp->inet_conn.icsk_inet.sk.sk_shutdown & RCV_SHUTDOWN);
}

static __always_inline void on_ending(struct call_socket *socket, struct tcp_sock *tp, int from,
                                      int to)
{
    bool client = socket->role == CALL_CLIENT;
    bool orderly =
        to != TCP_CLOSE || (from != TCP_ESTABLISHED && !tp->inet_conn.icsk_inet.sk.sk_err);

    if (!is_final(socket, tp, to))
        return;
    if (socket->call && client && is_unread(socket, tp)) {
        call_answered(socket, bpf_ktime_get_ns());
    } else if (socket->call) {
        call_broke(socket, client ? client_break_of(tp, from, to) : service_break_of(tp),
                   bpf_ktime_get_ns());
    } else if (client && !socket->calls && orderly) {
        socket->calls = 1;
        breaker_succeeded(&socket->peer, socket->probe_epoch);
    }
}

static __always_inline void on_closed(struct call_socket *socket, struct tcp_sock *tp, int from)
{
    struct call_stats *stats = call_stats_of(socket);
    bool fin_sent = from != TCP_ESTABLISHED && from != TCP_CLOSE_WAIT;

    if (!stats)
        return;
    count_progress(socket, stats, tp, fin_sent);
    __sync_fetch_and_add(&stats->closed, 1);
    socket->role = CALL_NOBODY;
}

/* Not all changes of state mean anything to a call. */
static __always_inline bool is_telling(const struct call_socket *socket, int to, bool ended)
{
    if (socket->role == CALL_CLIENT)
        return ended || to != TCP_LAST_ACK;
    return socket->role == CALL_SERVER && (ended || to == TCP_FIN_WAIT1 || to == TCP_LAST_ACK);
}

/* Called before the state changes. */
static __always_inline int on_state(const struct sock *sk, int from, int to)
{
    bool ended = to == TCP_CLOSE && from != TCP_CLOSE && from != TCP_LISTEN;
    struct call_socket *socket;
    struct tcp_sock *tp;

    if (to == TCP_SYN_SENT) {
        tp = bpf_skc_to_tcp_sock((void *)sk); /* NULL for MPTCP, SCTP, DCCP */
        if (tp)
            on_connecting(tp);
        return 0;
    }
    if (to != TCP_ESTABLISHED && to != TCP_FIN_WAIT1 && to != TCP_CLOSE_WAIT &&
        to != TCP_LAST_ACK && !ended)
        return 0;
    socket = call_socket_find((void *)sk);
    if (socket ? !is_telling(socket, to, ended) : from != TCP_SYN_RECV || ended)
        return 0;
    tp = bpf_skc_to_tcp_sock((void *)sk);
    if (!tp)
        return 0;
    if (!socket) {
        on_accepted(tp);
    } else if (socket->established) {
        on_ending(socket, tp, from, to);
        if (ended)
            on_closed(socket, tp, from);
    } else if (ended) {
        on_connect_failed(socket, tp);
    } else if (to == TCP_ESTABLISHED) {
        on_connected(socket, tp);
    }
    return 0;
}

#endif
