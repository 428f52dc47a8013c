/* Connects that fail in routing. They never leave TCP_CLOSE, so no socket tracepoint fires, and
 * function probes are not to be had on every kernel: what is left is the trace of the route lookup.
 *
 * What only a lookup by connect() looks like: an output lookup (its input interface is the
 * loopback's) for TCP, with a remote port but no local one yet. Every later lookup for the socket
 * has its local port; lookups by XDP, netfilter and reverse path filters have no ports or both.
 * It runs in the context of the caller.
 *
 * One lookup asks several tables in turn, and each is traced: a failure counts only when none can
 * follow. See include/abi/tcp.h for what that leaves out.
 */
#ifndef MOONWATCH_LIB_CONNECT_ROUTE_BPF_H
#define MOONWATCH_LIB_CONNECT_ROUTE_BPF_H

#include "lib/connect_error.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/rtnetlink.h>

#define IPPROTO_TCP 6
#define LOOPBACK_IFINDEX 1 /* include/net/flow.h: input interface of locally made packets */

static __always_inline bool is_connect(const struct flowi_common *flow, const union flowi_uli *uli)
{
    return flow->flowic_iif == LOOPBACK_IFINDEX && !uli->ports.sport && uli->ports.dport;
}

/* fib_lookup(): without policy rules the main table is asked, which then holds the local one too,
 * and after any failure the default table if there is one. With rules the first answer counts, and
 * that this table has none (EAGAIN) says nothing. The namespace is taken from the caller: the
 * tracepoint does not tell it. */
static __always_inline bool is_final4(u32 table, int err)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    const struct netns_ipv4 *ipv4 = &BPF_CORE_READ(task, nsproxy, net_ns)->ipv4;

    if (!bpf_core_field_exists(ipv4->fib_has_custom_rules)) /* no CONFIG_IP_MULTIPLE_TABLES */
        return true;
    if (BPF_CORE_READ(ipv4, fib_has_custom_rules))
        return err != -EAGAIN;
    return table == (BPF_CORE_READ(ipv4, fib_default) ? RT_TABLE_DEFAULT : RT_TABLE_MAIN);
}

/* Why a connect failed with this lookup, as a positive errno; 0: it did not, or it is none. */
static __always_inline u32 connect_route_error4(u32 table, const struct flowi4 *flow, int err)
{
    if (!err || flow->__fl_common.flowic_proto != IPPROTO_TCP)
        return 0;
    /* With an output interface ip_route_output_key_hash_rcu() goes on without a route. */
    if (!is_connect(&flow->__fl_common, &flow->uli) || flow->__fl_common.flowic_oif)
        return 0;
    if (!is_final4(table, err))
        return 0;
    return err == -EAGAIN ? ENETUNREACH : -err;
}

/* The error of the lookup's end result, or 0 when it succeeded or is not at its end.
 * fib6_rule_lookup(): without policy rules the local table, then the main one. */
static __always_inline u32 final_error6(const struct net *net, const struct fib6_result *result,
                                        const struct fib6_table *table)
{
    if (result->f6i == net->ipv6.fib6_null_entry) {
        if (table->tb6_id != RT_TABLE_MAIN)
            return 0;
        if (bpf_core_field_exists(net->ipv6.fib6_has_custom_rules) &&
            net->ipv6.fib6_has_custom_rules)
            return 0;
        return ENETUNREACH;
    }
    switch (result->fib6_type) {
    case RTN_UNREACHABLE:
        return EHOSTUNREACH;
    case RTN_PROHIBIT:
        return EACCES;
    case RTN_BLACKHOLE:
        return EINVAL;
    default:
        return 0;
    }
}

static __always_inline u32 connect_route_error6(const struct net *net,
                                                const struct fib6_result *result,
                                                const struct fib6_table *table,
                                                const struct flowi6 *flow)
{
    const struct in6_addr *from = &flow->saddr;

    if (flow->__fl_common.flowic_proto != IPPROTO_TCP)
        return 0;
    if (!is_connect(&flow->__fl_common, &flow->uli))
        return 0;
    /* ip6_dst_lookup_tail() tries without a source address first; if that fails it chooses one and
     * asks again, which decides. */
    if (!from->in6_u.u6_addr32[0] && !from->in6_u.u6_addr32[1] && !from->in6_u.u6_addr32[2] &&
        !from->in6_u.u6_addr32[3])
        return 0;
    return final_error6(net, result, table);
}

#endif
