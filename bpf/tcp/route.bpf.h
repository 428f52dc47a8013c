/* Connects that fail in routing, per port and as records. */
#ifndef MOONWATCH_TCP_ROUTE_BPF_H
#define MOONWATCH_TCP_ROUTE_BPF_H

#include "lib/connect_route.bpf.h"
#include "tcp/failure.bpf.h"
#include <bpf/bpf_tracing.h>

static __always_inline void set_caller(struct record_connect_failed *record)
{
    record->cgroup_id = bpf_get_current_cgroup_id();
    record->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(record->comm, sizeof(record->comm));
}

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

#endif
