/* Forks, execs and exits per cgroup, and a record for each process that ended abnormally. */
#include "abi/process.h"
#include "abi/exit.h"
#include "lib/emit.bpf.h"
#include "lib/identity.bpf.h"
#include "lib/row_or_other.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define SIGNAL_GROUP_EXIT 0x4 /* include/linux/sched/signal.h */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1024); /* resized by the loader */
    __type(key, u64);
    __type(value, struct process_stats);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} process_cgrp SEC(".maps");

struct ended_key {
    u64 start_ns;
    u64 tgid;
};

/* Multi-threaded processes that were counted already, where the kernel does not say which thread
 * was the last. Two threads can both find no live thread; the insert decides which one counts. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 2048);
    __type(key, struct ended_key);
    __type(value, u8);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} process_ended SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1024); /* resized by the loader */
    __type(key, struct short_key);
    __type(value, struct short_stats);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} process_short SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} process_seen SEC(".maps");

/* The row of the task's cgroup, or row 0 once the map is full. */
static __always_inline struct process_stats *stats_of(struct task_struct *task)
{
    struct process_stats fresh = {};
    u64 id = cgroup_id_of(task), other = 0;

    return row_or_other(&process_cgrp, &id, &other, &fresh, MAP_DROP_PROCESS_CGROUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
    struct process_stats *stats;

    if (child->pid != child->tgid)
        return 0;
    stats = stats_of(child);
    if (stats)
        __sync_fetch_and_add(&stats->forks, 1);
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
    struct process_stats *stats = stats_of(task);

    if (stats)
        __sync_fetch_and_add(&stats->execs, 1);
    return 0;
}

/* A thread that was released left its run time behind before it was taken from the number: the
 * atomic keeps the two readings in this order. */
static __always_inline bool never_had_threads(struct signal_struct *signal)
{
    u64 barrier = 0;

    if (signal->nr_threads != 1)
        return false;
    /* Without a use of its result it would be no barrier. */
    if (__sync_fetch_and_add(&barrier, 1) != 0)
        return false;
    return signal->sum_sched_runtime == 0;
}

/* True for exactly one thread of each process: the one whose exit ends it. */
static __always_inline bool ends_process(u64 *ctx, struct task_struct *task)
{
    struct signal_struct *signal = task->signal;
    struct ended_key key;
    u8 seen = 1;

    if (bpf_core_type_exists(btf_trace_sched_process_exit___group_dead))
        return ctx[1] & 1;
    if (signal->live.counter != 0)
        return false;
    if (never_had_threads(signal))
        return true;
    key.tgid = task->tgid;
    key.start_ns = task->group_leader->start_time;
    return bpf_map_update_elem(&process_ended, &key, &seen, BPF_NOEXIST) == 0;
}

/* In its own PID namespace, the innermost one. */
static __always_inline int number_in_namespace(struct pid *pid, u32 level)
{
    u64 at = (u64)pid + bpf_core_field_offset(struct pid, numbers) +
             (u64)level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr);
    int number = 0;

    bpf_probe_read_kernel(&number, sizeof(number), (void *)at);
    return number;
}

static __always_inline u32 facts_of(struct task_struct *task)
{
    struct task_struct *leader = task->group_leader, *parent = leader->real_parent;
    struct pid *own = leader->thread_pid, *session = leader->signal->pids[PIDTYPE_SID];
    u32 facts = leader->signal->tty ? EXIT_ON_TERMINAL : 0;
    u32 level;

    if (cgroup_id_of(parent) == cgroup_id_of(task)) {
        if (cgroup_id_of(parent->group_leader->real_parent) != cgroup_id_of(task))
            facts |= EXIT_CHILD_OF_HEAD;
        return facts;
    }
    if (session != own && session->tasks[PIDTYPE_PID].first)
        return facts;
    level = own->level;
    if (level == parent->thread_pid->level)
        return facts | EXIT_HEADS_CGROUP;
    if (number_in_namespace(BPF_CORE_READ(leader, thread_pid), level) == 1)
        facts |= EXIT_HEADS_CGROUP | EXIT_HEADS_NAMESPACE;
    return facts;
}

static __always_inline bool is_urgent(u32 signal, u32 status, u32 facts)
{
    return exit_is_crash(signal, facts) ||
           (facts & EXIT_HEADS_CGROUP && exit_is_failure(signal, status));
}

static __always_inline void emit_exit(struct task_struct *task, u32 signal, u32 status)
{
    struct task_struct *leader = task->group_leader;
    struct record_exit *record = emit_reserve(RECORD_EXIT, sizeof(*record));
    u32 facts;

    if (!record)
        return;
    facts = facts_of(task);
    record->cgroup_id = cgroup_id_of(task);
    record->age_ns = record->head.time_ns - leader->start_time;
    record->pid = task->tgid;
    record->ppid = leader->real_parent->tgid;
    record->signal = signal;
    record->status = status;
    record->facts = facts;
    record->pad = 0;
    bpf_probe_read_kernel(record->comm, sizeof(record->comm), leader->comm);
    bpf_probe_read_kernel(record->parent_comm, sizeof(record->parent_comm),
                          leader->real_parent->comm);
    record->cgroup_parent_id = cgroup_parent_id_of(task);
    record->cgroup_name[0] = '\0';
    bpf_probe_read_kernel_str(record->cgroup_name, sizeof(record->cgroup_name),
                              task->cgroups->dfl_cgrp->kn->name);
    emit_submit(record, is_urgent(signal, status, facts) ? EMIT_URGENT : EMIT_LAZY);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
    struct process_stats *stats;
    u32 code, signal;

    if (!ends_process(ctx, task))
        return 0;
    /* What wait() will say, see wait_task_zombie(). */
    if (task->signal->flags & SIGNAL_GROUP_EXIT)
        code = task->signal->group_exit_code;
    else
        code = task->group_leader->exit_code;
    signal = code & 0x7f;
    stats = stats_of(task);
    if (stats) {
        __sync_fetch_and_add(&stats->exits, 1);
        if (code)
            __sync_fetch_and_add(&stats->exits_abnormal, 1);
        if (signal)
            __sync_fetch_and_add(&stats->exits_by_signal, 1);
    }
    if (code)
        emit_exit(task, signal, signal ? 0 : code >> 8 & 0xff);
    return 0;
}

/* Of its cgroup and name, or the row `other` once the map is full. */
static __always_inline struct short_stats *short_stats_of(struct task_struct *leader)
{
    struct short_stats fresh = {};
    struct short_key key = {}, other = {};

    key.cgroup_id = cgroup_id_of(leader);
    __builtin_memcpy(key.comm, leader->comm, sizeof(key.comm));
    return row_or_other(&process_short, &key, &other, &fresh, MAP_DROP_PROCESS_SHORT);
}

/* When a task has ended its time is not counted up to the end yet; here it is, with that of all its
 * threads, and it is gone from the list of tasks. The leader goes last. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(process_free, struct task_struct *task)
{
    struct short_stats *stats;
    u32 zero = 0;
    u64 *seen_ns;

    if (task->pid != task->tgid)
        return 0;
    seen_ns = bpf_map_lookup_elem(&process_seen, &zero);
    if (!seen_ns || task->start_time < *seen_ns)
        return 0;
    stats = short_stats_of(task);
    if (!stats)
        return 0;
    __sync_fetch_and_add(&stats->processes, 1);
    __sync_fetch_and_add(&stats->cpu_ns, task->signal->sum_sched_runtime);
    return 0;
}
