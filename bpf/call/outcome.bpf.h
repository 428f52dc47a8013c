/* One call: its beginning, its end, and what its outcome means to the breaker. */
#ifndef MOONWATCH_CALL_OUTCOME_BPF_H
#define MOONWATCH_CALL_OUTCOME_BPF_H

#include "call/breaker_trip.bpf.h"
#include "call/socket.bpf.h"
#include "lib/latency.bpf.h"

static __always_inline u64 call_since(u64 call)
{
    return call & ~CALL_FLAGS;
}

/* Counts the failure; a client's is told to the breaker. `call` is what was in flight, or 0. */
static __always_inline void call_failed(struct call_socket *socket, struct call_stats *stats,
                                        u32 reason, u64 call, u64 now_ns)
{
    struct breaker_outcome outcome = {
        .call = &socket->peer,
        .probe_epoch = socket->probe_epoch,
        .age_ns = call ? now_ns - call_since(call) : 0,
        .reason = reason,
    };

    if (reason >= CALL_FAILURE_COUNT)
        return;
    __sync_fetch_and_add(&stats->failures[reason], 1);
    if (socket->role == CALL_CLIENT)
        breaker_failed(&outcome);
}

/* More of the same request moves the time on. Two threads that begin one at once begin the same. */
static __always_inline void call_began(struct call_socket *socket, u64 now_ns)
{
    u64 since_ns = call_since(now_ns), call = socket->call;

    if (!call) {
        socket->call = since_ns;
        socket->calls = 1;
    } else if (!(call & CALL_FLAG_CONNECTING)) { /* TCP Fast Open */
        __sync_val_compare_and_swap(&socket->call, call, since_ns | (call & CALL_FLAGS));
    }
}

static __always_inline void call_answered(struct call_socket *socket, u64 now_ns)
{
    u64 call = __sync_lock_test_and_set(&socket->call, 0);
    struct call_stats *stats = call_stats_of(socket);
    struct call_limit *limit = call_limit_of(socket);
    u32 http_failed = socket->http_failed;
    u64 ns;

    if (!call || !stats || !limit)
        return;
    ns = now_ns > call_since(call) ? now_ns - call_since(call) : 0;
    count_fine_latency_atomic(&stats->turnaround, ns);
    if (limit->slow_ns && ns >= limit->slow_ns && !(call & CALL_FLAG_SLOW))
        __sync_fetch_and_add(&stats->slow, 1);
    if (http_failed)
        socket->http_failed = 0;
    /* Each call has one outcome: that it timed out or failed is told already. */
    if (call & CALL_FLAG_TIMED_OUT)
        return;
    if (limit->timeout_ns && ns >= limit->timeout_ns && !http_failed)
        call_failed(socket, stats, CALL_TIMED_OUT, call, now_ns);
    else if (socket->role == CALL_CLIENT && !http_failed)
        breaker_succeeded(&socket->peer, socket->probe_epoch);
}

/* Its answer was read by another thread before this one saw that its request was sent. */
static __always_inline void call_answered_unseen(struct call_socket *socket)
{
    struct call_stats *stats = call_stats_of(socket);
    u32 http_failed = socket->http_failed;

    if (!stats)
        return;
    socket->calls = 1;
    socket->http_failed = 0;
    __sync_fetch_and_add(&stats->ended_unmeasured, 1);
    if (!http_failed)
        breaker_succeeded(&socket->peer, socket->probe_epoch);
}

/* Ended without an answer: `reason` is a failure, or CALL_FAILURE_COUNT when it was given up by the
 * side that waited. */
static __always_inline void call_broke(struct call_socket *socket, u32 reason, u64 now_ns)
{
    u64 call = __sync_lock_test_and_set(&socket->call, 0);
    struct call_stats *stats = call_stats_of(socket);

    if (!call || !stats)
        return;
    __sync_fetch_and_add(&stats->ended_unmeasured, 1);
    if (reason >= CALL_FAILURE_COUNT)
        __sync_fetch_and_add(&stats->abandoned, 1);
    else if (!(call & CALL_FLAG_TIMED_OUT) && !socket->http_failed)
        call_failed(socket, stats, reason, call, now_ns);
}

#endif
