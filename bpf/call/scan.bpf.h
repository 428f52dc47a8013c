/* The walk over all sockets that processes have open, run by the agent: it is what sees a call that
 * hangs, and a connection that is older than the programs.
 */
#ifndef MOONWATCH_CALL_SCAN_BPF_H
#define MOONWATCH_CALL_SCAN_BPF_H

#include "call/connection.bpf.h"
#include "lib/identity.bpf.h"

static __always_inline bool is_client_task(const struct breaker_row *row,
                                           const struct task_struct *task)
{
    const struct cgroup *cgroup = NULL;
    u64 id = row->clients_cgroup_id, level = row->clients_level;
    struct cgroup *ancestor = NULL;

    if (id == CLIENTS_EVERYBODY || !id)
        return id;
    /* A number to the verifier: it lets nothing be added to a pointer that it knows. */
    bpf_core_read(&cgroup, sizeof(cgroup), &task->cgroups->dfl_cgrp);
    if (level > (u32)BPF_CORE_READ(cgroup, level))
        return false;
    bpf_core_read(&ancestor, sizeof(ancestor), (char *)&cgroup->ancestors + level * sizeof(void *));
    return ancestor && BPF_CORE_READ(ancestor, kn, id) == id;
}

static __always_inline void adopt_client(struct call_socket *socket, struct tcp_sock *tp,
                                         const struct upstream_key *key,
                                         const struct upstream_value *found,
                                         const struct task_struct *task)
{
    socket->row = found->upstream;
    socket->peer.upstream = found->upstream;
    socket->peer.address = found->address;
    socket->peer.pid = task->tgid;
    socket->peer.remote_port = bpf_ntohs(key->port);
    __builtin_memcpy(socket->peer.remote_addr, key->addr, sizeof(key->addr));
    bpf_core_read(socket->peer.comm, sizeof(socket->peer.comm), &task->comm);
    socket->calls = 1; /* unknown: its orderly end shall be no success */
    socket->role = CALL_CLIENT;
    on_connected(socket, tp);
}

/* A connection of before. What it has done so far is not counted. */
static __always_inline void adopt(struct tcp_sock *tp, const struct task_struct *task)
{
    u32 state = common_of(tp)->skc_state, tgid = task->tgid;
    u64 cgroup_id = cgroup_id_of(task);
    struct upstream_key key = {};
    struct upstream_value *found;
    struct breaker_agent *agent = breaker_agent_find();
    struct call_socket *socket;
    struct breaker_row *row;
    u32 *service;

    if ((state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT) || !agent || agent->tgid == tgid)
        return;
    found = upstream_find(tp, &key);
    row = found ? breaker_row_of(found->upstream) : NULL;
    if (!row || !is_client_task(row, task) || !is_netns_of(row, tp))
        found = NULL;
    service = found ? NULL : service_at_port(tp);
    /* A backlog is what a listener's children have, and no socket that connected. */
    if (!found && !tp->inet_conn.icsk_inet.sk.sk_max_ack_backlog)
        return;
    if (!found && !service)
        service = bpf_map_lookup_elem(&service_cgroup, &cgroup_id);
    if (!found && !service)
        service = bpf_map_lookup_elem(&service_tgid, &tgid);
    if (!found && !service)
        return;
    socket = bpf_sk_storage_get(&call_socket, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (!socket)
        return;
    socket->retransmits = tp->total_retrans;
    socket->segments_sent = tp->data_segs_out;
    socket->copied_seq = tp->copied_seq;
    if (found)
        adopt_client(socket, tp, &key, found, task);
    else
        service_claim(socket, *service, tp);
    socket->bytes_sent = sent_of(socket, tp, false);
    socket->bytes_received = received_of(tp);
}

/* Counts what has become slow or timed out since the last scan. False when the call is over. */
static __always_inline bool count_age(struct call_socket *socket, struct call_stats *stats,
                                      u64 call, u64 now_ns, u64 *ret_flags)
{
    struct call_limit *limit = call_limit_of(socket);
    struct call_table *table = call_table_find();
    u64 age_ns = now_ns - call_since(call), flags = 0;

    if (!limit || !table)
        return false;
    if (call_since(call) < table->followed_since_ns) {
        if (__sync_val_compare_and_swap(&socket->call, call, 0) == call)
            __sync_fetch_and_add(&stats->ended_unmeasured, 1);
        return false;
    }
    if (limit->slow_ns && age_ns >= limit->slow_ns && !(call & CALL_FLAG_CONNECTING))
        flags |= CALL_FLAG_SLOW;
    if (limit->timeout_ns && age_ns >= limit->timeout_ns)
        flags |= CALL_FLAG_TIMED_OUT;
    flags &= ~call;
    /* Answered meanwhile, or moved on: the next scan sees it again. */
    if (flags && __sync_val_compare_and_swap(&socket->call, call, call | flags) != call)
        return false;
    if (flags & CALL_FLAG_SLOW)
        __sync_fetch_and_add(&stats->slow, 1);
    if (flags & CALL_FLAG_TIMED_OUT)
        call_failed(socket, stats,
                    call & CALL_FLAG_CONNECTING ? CALL_CONNECT_TIMED_OUT : CALL_TIMED_OUT, call,
                    now_ns);
    *ret_flags = (call | flags) & CALL_FLAGS;
    return true;
}

#endif
