/* How long tasks stand still because they must free memory themselves, by the memory cgroup of the
 * task: direct reclaim (the host ran low) and memory cgroup reclaim (the cgroup is at its limit).
 */
#include "abi/reclaim.h"
#include "lib/attached_since.bpf.h"
#include "lib/identity.bpf.h"
#include "lib/latency.bpf.h"
#include "lib/row_or_other.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define OTHER_CGROUP 0

const volatile __u64 stall_ns = 100 * 1000 * 1000; /* 0: no records */

/* Preallocated: a task that reclaims must not be made to allocate. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2048); /* tasks in reclaim at one time */
    __type(key, u64);          /* pid of the thread << 32 | enum reclaim_kind */
    __type(value, u64);        /* since when */
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} reclaim_task SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1024); /* set by the loader */
    __type(key, struct reclaim_key);
    __type(value, struct latency);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} reclaim_cgrp SEC(".maps");

static __always_inline u64 task_key(enum reclaim_kind kind)
{
    return bpf_get_current_pid_tgid() << 32 | kind;
}

static __always_inline void report_stall(const struct reclaim_key *key, u64 ns)
{
    struct record_stall *record = emit_reserve(RECORD_STALL, sizeof(*record));
    u64 pid_tgid = bpf_get_current_pid_tgid();

    if (!record)
        return;
    record->stall_ns = ns;
    record->cgroup_id = key->cgroup_id;
    record->pid = pid_tgid;
    record->tgid = pid_tgid >> 32;
    record->kind = key->kind;
    record->pad = 0;
    bpf_get_current_comm(record->comm, sizeof(record->comm));
    emit_submit(record, EMIT_LAZY);
}

static __always_inline int begin(enum reclaim_kind kind)
{
    u64 key = task_key(kind);
    u64 now_ns = bpf_ktime_get_ns();

    if (bpf_map_update_elem(&reclaim_task, &key, &now_ns, BPF_ANY))
        count_map_drop(MAP_DROP_RECLAIM_TASK);
    return 0;
}

static __always_inline int end(enum reclaim_kind kind, u32 attached)
{
    static const struct latency empty;
    u64 task = task_key(kind);
    u64 *since_ns = bpf_map_lookup_elem(&reclaim_task, &task);
    struct reclaim_key key = {.kind = kind};
    struct reclaim_key other = {.cgroup_id = OTHER_CGROUP, .kind = kind};
    struct latency *row;
    u64 began_ns, ns;

    if (!since_ns)
        return 0;
    began_ns = *since_ns;
    bpf_map_delete_elem(&reclaim_task, &task);
    if (is_of_before(began_ns, attached_since_ns(attached)))
        return 0;
    ns = bpf_ktime_get_ns() - began_ns;
    key.cgroup_id = memory_cgroup_id_of(bpf_get_current_task_btf());
    row = row_or_other(&reclaim_cgrp, &key, &other, &empty, MAP_DROP_RECLAIM_CGROUP);
    if (row)
        count_latency_atomic(row, ns);
    if (stall_ns && ns >= stall_ns)
        report_stall(&key, ns);
    return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(reclaim_begin)
{
    return begin(RECLAIM_DIRECT);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(reclaim_end)
{
    return end(RECLAIM_DIRECT, ATTACHED_RECLAIM_DIRECT);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(memcg_begin)
{
    return begin(RECLAIM_MEMCG);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(memcg_end)
{
    return end(RECLAIM_MEMCG, ATTACHED_RECLAIM_MEMCG);
}
