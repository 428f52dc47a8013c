/* Bytes that were sent and bytes that were read, as the calls that they begin and answer. */
#ifndef MOONWATCH_CALL_TRAFFIC_BPF_H
#define MOONWATCH_CALL_TRAFFIC_BPF_H

#include "call/outcome.bpf.h"
#include "call/service.bpf.h"

/* TCP reads the clock itself for every packet. When all that was handed over is sent, the last
 * packet was sent after that; else it waits for room, and the clock must be asked. */
static __always_inline u64 sent_ns(const struct tcp_sock *tp)
{
    return tp->snd_nxt == tp->write_seq ? tp->tcp_clock_cache : bpf_ktime_get_ns();
}

static __always_inline void on_sent(struct call_socket *socket, u32 write_seq, u64 now_ns)
{
    if (socket->role == CALL_SERVER) {
        if (socket->call)
            call_answered(socket, now_ns);
    } else if (socket->role == CALL_CLIENT) {
        if (!socket->call && socket->idle_seq == write_seq)
            call_answered_unseen(socket);
        else
            call_began(socket, now_ns);
    }
}

/* By when the data arrived: a client that comes late to read is not the server's delay, and a
 * request that waits for a busy server is. */
static __always_inline void on_received(struct call_socket *socket, struct tcp_sock *tp)
{
    if (socket->role == CALL_UNKNOWN)
        service_resolve(socket, tp);
    if (socket->role == CALL_SERVER)
        call_began(socket, tp->tcp_clock_cache);
    else if (socket->role == CALL_CLIENT && socket->call)
        call_answered(socket, tp->tcp_clock_cache);
    else
        socket->idle_seq = tp->write_seq;
}

/* After every piece that a process reads; one that only peeks moves nothing. The kernel reads the
 * socket's clock anew right after this tracepoint: until then it tells of the last packet. */
static __always_inline int on_copied(struct sock *sk)
{
    struct call_socket *socket = call_socket_find(sk);
    struct tcp_sock *tp;

    if (!socket)
        return 0;
    tp = bpf_skc_to_tcp_sock(sk);
    if (!tp || tp->copied_seq == socket->copied_seq)
        return 0;
    socket->copied_seq = tp->copied_seq;
    on_received(socket, tp);
    return 0;
}

#endif
