/* A record for each victim of the OOM killer, with what is only known at that moment. */
#include "lib/emit.bpf.h"
#include "lib/identity.bpf.h"
#include "lib/rss.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define CGROUP_DEPTH_MAX 32
#define SIGKILL 9
#define EEXIST 17
#define SEND_SIG_PRIV 1 /* include/linux/sched/signal.h: a pointer value, sent by the kernel */

/* Victims by thread id between the kill and mark_victim, on kernels where mark_victim gives no
 * task. Other kills by the kernel pass through too, so the oldest give way. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 256);
    __type(key, u32);
    __type(value, struct record_oom);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} oom_candidates SEC(".maps");

struct victim_key {
    u64 start_ns;
    u64 tgid;
};

/* Processes reported already: a thread of a victim that needs memory to die is marked as well. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 256);
    __type(key, struct victim_key);
    __type(value, u8);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} oom_reported SEC(".maps");

struct limit {
    u64 cgroup_id;
    u64 bytes;
    u64 spare_pages;
};

/* Keeps in `best` the cgroup that has least to spare, if it is as good as full. The charge that
 * failed wanted at most 64 pages, yet other CPUs may have freed some since: a 64th of the limit,
 * at least 1 MiB, is as good as full. Nothing else runs that close to its limit when the host as a
 * whole runs out, for by then all its page cache was reclaimed. */
static __always_inline void consider(struct limit *best, struct page_counter *counter, u64 id)
{
    u64 max = BPF_CORE_READ(counter, max);
    u64 usage = BPF_CORE_READ(counter, usage.counter);
    u64 slack = max >> 6;
    u64 spare = usage < max ? max - usage : 0;

    if (slack < (1 << 20) / page_bytes)
        slack = (1 << 20) / page_bytes;
    if (spare > slack || (best->cgroup_id && spare >= best->spare_pages))
        return;
    best->cgroup_id = id;
    best->bytes = max * page_bytes;
    best->spare_pages = spare;
}

/* The memory cgroup at its limit, from the victim's upwards. The root has none. */
static __always_inline void find_limit(struct limit *best, struct cgroup_subsys_state *css,
                                       struct cgroup_root *unified)
{
    for (int i = 0; i < CGROUP_DEPTH_MAX && css; i++) {
        struct mem_cgroup *memcg = (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
        struct cgroup_subsys_state *parent = BPF_CORE_READ(css, parent);
        u64 id = BPF_CORE_READ(css, cgroup, kn, id);

        if (!parent)
            return;
        consider(best, &memcg->memory, id);
        if (BPF_CORE_READ(css, cgroup, root) != unified)
            consider(best, &memcg->memsw, id);
        css = parent;
    }
}

static __always_inline void describe(struct record_oom *record, struct task_struct *task)
{
    struct mm_struct *mm = task->mm;
    struct limit limit = {};

    record->cgroup_id = memory_cgroup_id_of(task);
    find_limit(&limit, memory_css_of(task), task->cgroups->dfl_cgrp->root);
    record->limit_cgroup_id = limit.cgroup_id;
    record->limit_bytes = limit.bytes;
    record->total_vm_bytes = 0;
    record->anon_rss_bytes = 0;
    record->file_rss_bytes = 0;
    if (mm) {
        record->total_vm_bytes = mm->total_vm * page_bytes;
        record->anon_rss_bytes = rss_bytes(mm, MM_ANONPAGES);
        record->file_rss_bytes = rss_bytes(mm, MM_FILEPAGES) + rss_bytes(mm, MM_SHMEMPAGES);
    }
    record->pid = task->tgid;
    record->uid = task->real_cred->uid.val;
    record->oom_score_adj = task->signal->oom_score_adj;
    record->pad = 0;
    bpf_probe_read_kernel(record->comm, sizeof(record->comm), task->group_leader->comm);
}

static __always_inline bool reported_before(struct task_struct *task)
{
    struct victim_key key = {.tgid = task->tgid, .start_ns = task->group_leader->start_time};
    u8 seen = 1;

    return bpf_map_update_elem(&oom_reported, &key, &seen, BPF_NOEXIST) == -EEXIST;
}

static __always_inline void report(struct task_struct *task)
{
    struct record_oom *record;

    if (reported_before(task))
        return;
    record = emit_reserve(RECORD_OOM, sizeof(*record));
    if (!record)
        return;
    describe(record, task);
    emit_submit(record, EMIT_URGENT);
}

/* True when the kill of this thread was seen and is reported now. */
static __always_inline bool report_candidate(int tid)
{
    struct record_oom *candidate = bpf_map_lookup_elem(&oom_candidates, &tid);
    struct record_oom *record;

    if (!candidate)
        return false;
    record = emit_reserve(RECORD_OOM, sizeof(*record));
    if (record) {
        __builtin_memcpy((void *)record + sizeof(record->head),
                         (void *)candidate + sizeof(record->head),
                         sizeof(*record) - sizeof(record->head));
        emit_submit(record, EMIT_URGENT);
    }
    bpf_map_delete_elem(&oom_candidates, &tid);
    return true;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(oom_mark, struct task_struct *task)
{
    report(task);
    return 0;
}

/* The twin, for kernels where mark_victim gives a thread id only. */
SEC("tp_btf/mark_victim")
int oom_mark_pid(u64 *ctx)
{
    struct task_struct *current = bpf_get_current_task_btf();
    int tid;

    /* Forced on a kernel that does not need it. */
    if (bpf_core_type_exists(btf_trace_mark_victim___task))
        tid = ((struct task_struct *)ctx[0])->pid;
    else
        tid = ctx[0];
    /* Without a candidate the victim is the current task: dying already, and short of memory on
     * its way. */
    if (!report_candidate(tid) && current->pid == tid)
        report(current);
    return 0;
}

/* The OOM killer sends SIGKILL to its victim, with the very task, before it marks it. */
SEC("tp_btf/signal_generate")
int BPF_PROG(oom_kill, int signal, u64 info, struct task_struct *task)
{
    struct record_oom candidate = {};
    int tid;

    if (signal != SIGKILL || info != SEND_SIG_PRIV || reported_before(task))
        return 0;
    describe(&candidate, task);
    tid = task->pid;
    bpf_map_update_elem(&oom_candidates, &tid, &candidate, BPF_ANY);
    return 0;
}
