/* Connects of an upstream's clients that fail in routing: failures like any other, though no socket
 * tracepoint fires. They run in the context of the caller.
 */
#ifndef MOONWATCH_CALL_ROUTE_BPF_H
#define MOONWATCH_CALL_ROUTE_BPF_H

#include "call/connection.bpf.h"
#include "lib/connect_route.bpf.h"

static __always_inline void on_route_failed(const struct upstream_key *key, u32 error)
{
    struct upstream_value *found = upstream_lookup(key);
    struct breaker_row *row = found ? breaker_row_of(found->upstream) : NULL;
    struct record_call call = {};
    struct breaker_outcome outcome = {.call = &call};
    struct call_stats *stats;
    u32 reason = connect_failure_of(error);
    u64 word;

    if (!row || !is_client(row) || !is_netns_of_current(row) || is_agent(breaker_agent_find()))
        return;
    stats = bpf_map_lookup_elem(&call_stats, &found->upstream);
    if (!stats)
        return;
    outcome.reason = reason > CONNECT_RESET ? CALL_CONNECT_OTHER : reason;
    count_attempt(found->upstream);
    word = breaker_word(row);
    /* The socket is not known here. But where half open is enforced, only probes come so far. */
    if (!row->enforce)
        outcome.probe_epoch = observe(row, word);
    else if (BREAKER_STATE_OF(word) == BREAKER_HALF_OPEN)
        outcome.probe_epoch = BREAKER_EPOCH_OF(word);
    call.upstream = found->upstream;
    call.address = found->address;
    call.pid = bpf_get_current_pid_tgid() >> 32;
    call.remote_port = bpf_ntohs(key->port);
    __builtin_memcpy(call.remote_addr, key->addr, sizeof(call.remote_addr));
    bpf_get_current_comm(call.comm, sizeof(call.comm));
    if (outcome.reason < CALL_FAILURE_COUNT)
        __sync_fetch_and_add(&stats->failures[outcome.reason], 1);
    breaker_failed(&outcome);
}

#endif
