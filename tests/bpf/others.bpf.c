/* Test object: what tasks other than the workers of a test add to the figures of their priority
 * class, so that the workers' own can be told exactly on a machine that is in use. */
#include "others.h"
#include "lib/identity.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __s32 workers_parent = 0; /* the process that started them */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PRIORITY_CLASS_COUNT);
    __type(key, u32);
    __type(value, struct others);
} others SEC(".maps");

/* When each CPU was given to the task that has it. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} arrived_ns SEC(".maps");

static __always_inline struct others *row_of(const struct task_struct *task)
{
    u32 class = priority_class_of(task);

    if (!task->pid || task->real_parent->tgid == workers_parent)
        return NULL;
    return bpf_map_lookup_elem(&others, &class);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(count_others, bool preempt, struct task_struct *prev, struct task_struct *next,
             unsigned int prev_state)
{
    struct others *leaving = row_of(prev), *coming = row_of(next);
    u64 now_ns = bpf_ktime_get_ns(), *since_ns;
    u32 zero = 0;

    since_ns = bpf_map_lookup_elem(&arrived_ns, &zero);
    if (!since_ns)
        return 0;
    if (leaving) {
        leaving->on_cpu_ns += *since_ns ? now_ns - *since_ns : 0;
        if (preempt || prev_state == 0)
            leaving->switches_involuntary++;
        else
            leaving->switches_voluntary++;
    }
    if (coming)
        coming->waits++;
    *since_ns = now_ns;
    return 0;
}
