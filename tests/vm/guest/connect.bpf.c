/* Test object: refuses or redirects connects to one port, the way a circuit breaker does. */
#include "connect_rule.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define ECONNREFUSED 111
#define LOOPBACK 0x7f000001

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct connect_rule);
} connect_rules SEC(".maps");

/* The context is read once, into locals: after a store clang forms ctx + offset, which the verifier
 * refuses. */
static __always_inline struct connect_rule *rule_for(__u32 user_port)
{
    __u32 zero = 0, port = bpf_ntohs((__u16)user_port);
    struct connect_rule *rule = bpf_map_lookup_elem(&connect_rules, &zero);

    return rule && rule->port == port ? rule : 0;
}

SEC("cgroup/connect4")
int connect_v4(struct bpf_sock_addr *ctx)
{
    struct connect_rule *rule = rule_for(ctx->user_port);

    if (!rule || rule->verdict == CONNECT_PASS)
        return 1;
    if (rule->verdict == CONNECT_REFUSE) {
        __sync_fetch_and_add(&rule->refused, 1);
        bpf_set_retval(-ECONNREFUSED);
        return 0;
    }
    __sync_fetch_and_add(&rule->redirected, 1);
    ctx->user_ip4 = bpf_htonl(LOOPBACK);
    ctx->user_port = bpf_htons((__u16)rule->to_port);
    return 1;
}

SEC("cgroup/connect6")
int connect_v6(struct bpf_sock_addr *ctx)
{
    struct connect_rule *rule = rule_for(ctx->user_port);

    if (!rule || rule->verdict == CONNECT_PASS)
        return 1;
    if (rule->verdict == CONNECT_REFUSE) {
        __sync_fetch_and_add(&rule->refused, 1);
        bpf_set_retval(-ECONNREFUSED);
        return 0;
    }
    __sync_fetch_and_add(&rule->redirected, 1);
    ctx->user_ip6[0] = 0;
    ctx->user_ip6[1] = 0;
    ctx->user_ip6[2] = 0;
    ctx->user_ip6[3] = bpf_htonl(1);
    ctx->user_port = bpf_htons((__u16)rule->to_port);
    return 1;
}
