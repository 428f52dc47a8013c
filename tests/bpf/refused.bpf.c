/* Test object: programs that this or any kernel refuses, in each way there is, among good ones. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* The verifier refuses to follow a number. */
static __always_inline int follow_number(void)
{
    return *(volatile int *)(unsigned long)bpf_get_prandom_u32();
}

SEC("tp_btf/sched_process_exec")
int good(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exec")
int bad_read(void *ctx)
{
    return follow_number();
}

SEC("tp_btf/moonwatch_nowhere")
int no_hook(void *ctx)
{
    return 0;
}

SEC("raw_tp/moonwatch_nowhere")
int no_attach(void *ctx)
{
    return 0;
}

SEC("kprobe/vfs_read")
int no_way(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exec")
int pair_good(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exit")
int pair_bad(void *ctx)
{
    return follow_number();
}

/* Three pairs of ways: the first refused by the verifier, by need, at attaching. */
SEC("tp_btf/sched_process_exec")
int load_first(void *ctx)
{
    return follow_number();
}

SEC("tp_btf/sched_process_exec")
int load_twin(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exec")
int need_first(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exec")
int need_twin(void *ctx)
{
    return 0;
}

SEC("raw_tp/moonwatch_nowhere")
int attach_first(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exec")
int attach_twin(void *ctx)
{
    return 0;
}
