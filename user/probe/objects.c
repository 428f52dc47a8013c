/* The table of BPF objects. How to add one: objects.h. */
#include "probe/objects.h"
#include <linux/types.h>

/* The skeletons name the types of the objects' globals as bpf/ does. */
typedef __u32 u32;
typedef __u64 u64;

#include "blkio.skel.h"
#include "breaker.skel.h"
#include "oom.skel.h"
#include "process.skel.h"
#include "reclaim.skel.h"
#include "request.skel.h"
#include "runq.skel.h"
#include "tasks.skel.h"
#include "tcp.skel.h"

const struct object_row object_rows[] = {
    {
        .concern = CONCERN_RUNQ,
        .elf_bytes = runq_bpf__elf_bytes,
        .groups = {{{
                        {.method = "rq-clock",
                         .programs = {"runq_switch", "runq_migrate"},
                         .needs = {"sched_entity.cfs_rq", "cfs_rq.rq", "sched_info.last_queued"}},
                        {.method = "task-storage",
                         .programs = {"runq_ts_switch", "runq_ts_wakeup", "runq_ts_new"},
                         .needs = {"bpf_local_storage_map.bpf_ma"}},
                    },
                    .attached = ATTACHED_RUNQ}},
        .cgroup_maps = {"runq_cgroup", "blocked_cgrp"},
    },
    {
        .concern = CONCERN_PROCESS,
        .elf_bytes = process_bpf__elf_bytes,
        .cgroup_maps = {"process_cgrp", "process_short"},
    },
    {
        .concern = CONCERN_OOM,
        .elf_bytes = oom_bpf__elf_bytes,
        .groups = {{{
            {.method = "task",
             .programs = {"oom_mark"},
             .needs = {"trace_event_raw_mark_victim.uid"}},
            {.method = "signal", .programs = {"oom_mark_pid", "oom_kill"}},
        }}},
    },
    {
        .concern = CONCERN_RECLAIM,
        .elf_bytes = reclaim_bpf__elf_bytes,
        .groups = {{{{.programs = {"reclaim_begin", "reclaim_end"}}},
                    .attached = ATTACHED_RECLAIM_DIRECT},
                   {{{.programs = {"memcg_begin", "memcg_end"}}},
                    .attached = ATTACHED_RECLAIM_MEMCG}},
        .cgroup_maps = {"reclaim_cgrp"},
    },
    {
        .concern = CONCERN_BLKIO,
        .elf_bytes = blkio_bpf__elf_bytes,
        .groups = {{{{.programs = {"blkio_issue", "blkio_complete"}}}, .attached = ATTACHED_BLKIO}},
    },
    {
        .concern = CONCERN_TCP,
        .elf_bytes = tcp_bpf__elf_bytes,
        .groups = {{{{.programs = {"tcp_state"}}}, .attached = ATTACHED_TCP}},
    },
    {.concern = CONCERN_TASKS, .elf_bytes = tasks_bpf__elf_bytes},
    {
        .concern = CONCERN_REQUEST,
        .elf_bytes = request_bpf__elf_bytes,
        .groups = {{{
            /* "net: Add tracepoints for sock_sendmsg() and sock_recvmsg()", 6.3. */
            {.method = "socket",
             .programs = {"request_state", "request_sent", "request_read"},
             .needs = {"trace_event_raw_sock_msg_length.sk"}},
            {.method = "packet",
             .programs = {"request_state_p", "request_queued", "request_read_p"}},
        }}},
    },
    {
        .concern = CONCERN_BREAKER,
        .elf_bytes = breaker_bpf__elf_bytes,
        .groups = {{{{.programs = {"breaker_conn4", "breaker_conn6"}}}}},
    },
};

const size_t object_row_count = sizeof(object_rows) / sizeof(object_rows[0]);
