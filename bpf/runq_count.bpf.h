/* What is counted at a context switch, whatever clock the times come from.
 *
 * sched_switch fires with interrupts off and cannot nest, so counters in per-CPU maps are added to
 * without atomics. It also fires under the run-queue lock: nothing here may allocate but through
 * the allocators made for it (NO_PREALLOC hashes from kernel 6.1 on).
 */
#ifndef MOONWATCH_RUNQ_COUNT_BPF_H
#define MOONWATCH_RUNQ_COUNT_BPF_H

#include "abi/runq.h"
#include "lib/attached_since.bpf.h"
#include "lib/blocked.bpf.h"
#include "lib/identity.bpf.h"
#include "lib/latency.bpf.h"
#include "lib/row_or_other.bpf.h"

/* Of the kernel's include/linux/sched.h, which is no UAPI. */
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_DEAD 0x0080
#define TASK_NOLOAD 0x0400

#define OTHER_CGROUP 0

const volatile __u64 slow_wait_ns = 10 * 1000 * 1000; /* 0: no records */
const volatile bool count_cgroups = true;

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PRIORITY_CLASS_COUNT);
    __type(key, u32);
    __type(value, struct runq_stats);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} runq_class SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1024); /* set by the loader */
    __type(key, u64);
    __type(value, struct latency);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} runq_cgroup SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1024); /* set by the loader */
    __type(key, u64);
    __type(value, struct latency);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} blocked_cgrp SEC(".maps");

static __always_inline void count_cgroup(void *map, u64 cgroup_id, u64 ns, u32 drop_site)
{
    static const struct latency empty;
    u64 other = OTHER_CGROUP;
    struct latency *row = row_or_other(map, &cgroup_id, &other, &empty, drop_site);

    if (row)
        count_latency(row, ns);
}

/* One side of a switch, in the clock of the program that counts it. */
struct side {
    struct task_struct *task;
    u64 since_ns;     /* on the CPU (leaving) or waiting for it (coming); 0: unknown */
    u64 run_delay_ns; /* waits of the task that ended before, with a move between CPUs included */
};

static __always_inline void begin_blocked(const struct side *leaving, u64 now_ns)
{
    struct blocked_task fresh = {.since_ns = now_ns,
                                 .attached_ns = attached_since_ns(ATTACHED_RUNQ),
                                 .run_delay_ns = leaving->run_delay_ns};
    struct blocked_task *blocked;
    u32 pid = leaving->task->pid;

    blocked = bpf_map_lookup_elem(&task_blocked, &pid);
    if (blocked) {
        blocked->since_ns = fresh.since_ns;
        blocked->attached_ns = fresh.attached_ns;
        blocked->run_delay_ns = fresh.run_delay_ns;
    } else if (bpf_map_update_elem(&task_blocked, &pid, &fresh, BPF_NOEXIST)) {
        count_map_drop(MAP_DROP_BLOCKED_TASK);
    }
}

/* The sleep ended when the task was enqueued: no hook at the wakeup is needed. A task moved while
 * it waited was enqueued again since; the waits before that are in run_delay already. */
static __always_inline void end_blocked(const struct side *coming)
{
    struct blocked_task *blocked;
    u32 pid = coming->task->pid;
    s64 slept_ns;

    blocked = bpf_map_lookup_elem(&task_blocked, &pid);
    if (!blocked || !blocked->since_ns)
        return;
    slept_ns = coming->since_ns - blocked->since_ns;
    slept_ns -= coming->run_delay_ns - blocked->run_delay_ns;
    blocked->since_ns = 0;
    /* The times may be of another clock than the word's: it is compared with what it was then. */
    if (slept_ns <= 0 || blocked->attached_ns != attached_since_ns(ATTACHED_RUNQ))
        return;
    blocked->total_ns += slept_ns;
    count_cgroup(&blocked_cgrp, cgroup_id_of(coming->task), slept_ns, MAP_DROP_BLOCKED_CGROUP);
}

static __noinline void report_slow_wait(struct task_struct *waiter, struct task_struct *running,
                                        u64 wait_ns)
{
    struct record_slow_wait *record = emit_reserve(RECORD_SLOW_WAIT, sizeof(*record));

    if (!record)
        return;
    record->wait_ns = wait_ns;
    record->cgroup_id = cgroup_id_of(waiter);
    record->pid = waiter->pid;
    record->tgid = waiter->tgid;
    record->running_pid = running->pid;
    record->running_tgid = running->tgid;
    record->priority_class = priority_class_of(waiter);
    record->pad = 0;
    bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), waiter->comm);
    bpf_probe_read_kernel_str(record->running_comm, sizeof(record->running_comm), running->comm);
    emit_submit(record, EMIT_LAZY);
}

static __always_inline void count_leaving(const struct side *leaving, u64 now_ns, bool preempt,
                                          u32 state, struct runq_stats *stats)
{
    if (leaving->since_ns && now_ns > leaving->since_ns)
        stats->on_cpu_ns += now_ns - leaving->since_ns;
    if (preempt || state == 0) {
        stats->switches_involuntary++;
        return;
    }
    stats->switches_voluntary++;
    if ((state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)) == TASK_UNINTERRUPTIBLE) {
        begin_blocked(leaving, now_ns);
    } else if (state & TASK_DEAD) {
        u32 pid = leaving->task->pid;

        bpf_map_delete_elem(&task_blocked, &pid);
    }
}

/* Clocks of two CPUs may differ a little: a wait that ends before it began counts as none. */
static __always_inline void count_coming(const struct side *coming, struct task_struct *prev,
                                         u64 now_ns, struct runq_stats *stats)
{
    u64 since_ns = coming->since_ns;
    u64 wait_ns = now_ns > since_ns ? now_ns - since_ns : 0;

    if (since_ns) {
        count_latency(&stats->delay, wait_ns);
        if (count_cgroups)
            count_cgroup(&runq_cgroup, cgroup_id_of(coming->task), wait_ns, MAP_DROP_RUNQ_CGROUP);
        if (slow_wait_ns && wait_ns >= slow_wait_ns)
            report_slow_wait(coming->task, prev, wait_ns);
    }
    /* Set by the kernel at each sleep: true while the last one was uninterruptible. */
    if (BPF_CORE_READ_BITFIELD(coming->task, sched_contributes_to_load))
        end_blocked(coming);
}

#endif
