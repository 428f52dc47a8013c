/* Whose network namespace it is: a breaker or a service of one counts nothing of another's. */
#ifndef MOONWATCH_LIB_NETNS_BPF_H
#define MOONWATCH_LIB_NETNS_BPF_H

#include "lib/breaker_row.bpf.h"
#include <bpf/bpf_core_read.h>

/* 0: this kernel has one only. */
static __always_inline u64 netns_of_sock(const struct sock *sk)
{
    if (!bpf_core_field_exists(sk->__sk_common.skc_net))
        return 0;
    return BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
}

/* Of the process that connects, for where its socket is not known. */
static __always_inline u64 netns_of_current(void)
{
    const struct task_struct *task = (void *)bpf_get_current_task();
    const struct nsproxy *nsproxy = BPF_CORE_READ(task, nsproxy);

    return BPF_CORE_READ(nsproxy, net_ns, net_cookie);
}

static __always_inline bool is_netns(const struct breaker_row *row, u64 netns)
{
    return !row->netns_cookie || row->netns_cookie == netns;
}

static __always_inline bool is_netns_of(const struct breaker_row *row, const struct tcp_sock *tp)
{
    return !row->netns_cookie || is_netns(row, netns_of_sock(&tp->inet_conn.icsk_inet.sk));
}

static __always_inline bool is_netns_of_current(const struct breaker_row *row)
{
    return !row->netns_cookie || is_netns(row, netns_of_current());
}

#endif
