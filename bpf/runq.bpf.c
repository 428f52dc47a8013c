/* Run-queue delay, time on CPU, switches and uninterruptible sleep, at the context switch.
 *
 * The kernel stamps sched_info.last_queued at every enqueue and last_arrival when a task gets the
 * CPU, and updates the run queue's clock before it picks the next task. All three can be read here,
 * which spares a hook at each wakeup, a clock call and a map of all tasks. The clock does not
 * always move between an enqueue and the switch, so many short waits read 0: the histogram is for
 * tails, not for the shape below 8 us.
 */
#include "runq_count.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* No shorter wait is doubted: most have no look-up to pay for. */
#define DOUBTED_NS (1000 * 1000)

/* Who was moved to another CPU in its sleep, and how often it had run by then. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 2048);
    __type(key, u32);
    __type(value, u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} runq_moved SEC(".maps");

static __noinline bool was_moved_asleep(struct task_struct *task)
{
    u32 pid = task->pid;
    u64 *runs = bpf_map_lookup_elem(&runq_moved, &pid);

    return runs && *runs == task->sched_info.pcount;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(runq_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
             unsigned int prev_state)
{
    /* Every task has a cfs_rq of its CPU, whatever its class: set_task_rq(), FAIR_GROUP_SCHED. */
    u64 now_ns = prev->se.cfs_rq->rq->clock;
    struct side leaving = {.task = prev}, coming = {.task = next};
    struct runq_stats *stats = NULL;
    u32 class = PRIORITY_CLASS_COUNT, next_class;

    if (prev->pid) {
        class = priority_class_of(prev);
        stats = bpf_map_lookup_elem(&runq_class, &class);
        if (!stats)
            return 0;
        leaving.since_ns = prev->sched_info.last_arrival;
        leaving.run_delay_ns = prev->sched_info.run_delay;
        count_leaving(&leaving, now_ns, preempt, prev_state, stats);
    }
    if (next->pid) {
        next_class = priority_class_of(next);
        if (next_class != class)
            stats = bpf_map_lookup_elem(&runq_class, &next_class);
        if (!stats)
            return 0;
        coming.since_ns = next->sched_info.last_queued;
        coming.run_delay_ns = next->sched_info.run_delay;
        if ((s64)(now_ns - coming.since_ns) >= DOUBTED_NS && was_moved_asleep(next))
            coming.since_ns = 0;
        count_coming(&coming, prev, now_ns, stats);
    }
    return 0;
}

/* From 6.12 on a task can stay in the queue for some of its sleep. One that is moved meanwhile gets
 * a new stamp, and what remains of the sleep looks like a wait. */
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(runq_migrate, struct task_struct *task)
{
    u32 pid = task->pid;
    u64 runs;

    if (!bpf_core_field_exists(task->se.sched_delayed) || !task->se.sched_delayed)
        return 0;
    runs = task->sched_info.pcount;
    bpf_map_update_elem(&runq_moved, &pid, &runs, BPF_ANY);
    return 0;
}

/* The twin for kernels without those fields: times of our own, kept in task storage. Its rows are
 * made under the run-queue lock, which is safe from kernel 6.4 on, where task storage comes from an
 * allocator that may be called anywhere (bpf_local_storage_map.bpf_ma); it is not offered before.
 */
struct runq_task {
    u64 queued_ns;
    u64 arrived_ns;
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct runq_task);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} runq_task SEC(".maps");

static __always_inline struct runq_stats *class_stats(const struct task_struct *task)
{
    u32 class = priority_class_of(task);

    return bpf_map_lookup_elem(&runq_class, &class);
}

static __always_inline struct runq_task *task_times(struct task_struct *task)
{
    struct runq_task *times;

    times = bpf_task_storage_get(&runq_task, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!times)
        count_map_drop(MAP_DROP_RUNQ_TASK);
    return times;
}

static __always_inline int stamp_queued(struct task_struct *task)
{
    struct runq_task *times = task_times(task);

    if (times)
        times->queued_ns = bpf_ktime_get_ns();
    return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(runq_ts_wakeup, struct task_struct *task)
{
    return stamp_queued(task);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(runq_ts_new, struct task_struct *task)
{
    return stamp_queued(task);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(runq_ts_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
             unsigned int prev_state)
{
    u64 now_ns = bpf_ktime_get_ns(), attached_ns = attached_since_ns(ATTACHED_RUNQ);
    struct side leaving = {.task = prev}, coming = {.task = next};
    struct runq_stats *stats;
    struct runq_task *times;

    if (prev->pid) {
        stats = class_stats(prev);
        times = task_times(prev);
        if (!stats || !times)
            return 0;
        leaving.since_ns = time_since(times->arrived_ns, attached_ns);
        count_leaving(&leaving, now_ns, preempt, prev_state, stats);
        times->queued_ns = preempt || prev_state == 0 ? now_ns : 0;
    }
    if (next->pid) {
        stats = class_stats(next);
        times = task_times(next);
        if (!stats || !times)
            return 0;
        coming.since_ns = time_since(times->queued_ns, attached_ns);
        count_coming(&coming, prev, now_ns, stats);
        times->queued_ns = 0;
        times->arrived_ns = now_ns;
    }
    return 0;
}
