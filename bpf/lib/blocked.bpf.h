/* Uninterruptible sleep per task: written by bpf/runq, read by the task iterator.
 *
 * A preallocated hash and not task storage: its rows are made under a run-queue lock, where the
 * allocation that task storage did before kernel 6.4 can wake kswapd, which takes that lock again.
 */
#ifndef MOONWATCH_LIB_BLOCKED_BPF_H
#define MOONWATCH_LIB_BLOCKED_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define BLOCKED_TASKS_MAX 16384 /* tasks alive that ever slept so; 88 bytes each */

struct blocked_task {
    u64 since_ns;     /* 0: not asleep; the time base is that of the program which wrote it */
    u64 attached_ns;  /* the word ATTACHED_RUNQ at that time: another since then, and it is void */
    u64 run_delay_ns; /* sched_info.run_delay when it fell asleep */
    u64 total_ns;     /* all such sleeps that ended */
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BLOCKED_TASKS_MAX);
    __type(key, u32); /* pid of the thread; the row goes when the thread ends */
    __type(value, struct blocked_task);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} task_blocked SEC(".maps");

static __always_inline u64 blocked_ns_of(u32 pid)
{
    const struct blocked_task *blocked = bpf_map_lookup_elem(&task_blocked, &pid);

    return blocked ? blocked->total_ns : 0;
}

#endif
