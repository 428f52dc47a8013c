/* Test object: what programs are told of at all of what TCP's timers do, at a row of ports. A
 * kernel may run none while the task that it interrupted is one that it shields (the init of a
 * micro-VM). */
#include "told.h"
#include "lib/connect_error.bpf.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u16 first_port = 0, ports = 0;

struct told told SEC(".data.told");

static __always_inline bool is_watched(u16 port)
{
    return port >= first_port && port - first_port < ports;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(note_syn_ack, const struct sock *sk, const struct request_sock *request)
{
    if (is_watched(sk->__sk_common.skc_num))
        __sync_fetch_and_add(&told.syn_acks_again, 1);
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(note_state, const struct sock *sk, int from, int to)
{
    if (from == TCP_SYN_SENT && to == TCP_CLOSE && is_watched(bpf_ntohs(sk->__sk_common.skc_dport)))
        __sync_fetch_and_add(&told.connects_failed, 1);
    return 0;
}
