/* The concerns: what there is in bpf/, one NAME.bpf.c and one row each. User space makes of a row
 * the key overhead.probes.NAME, enum probe_concern, its name in metrics, health and doctor, and
 * what the loader knows of the object before it opens it.
 *
 * ROW(ID, name, component, figures, doc, ...)
 *   ID         CONCERN_ID, NEED_ID of the metrics that it gives
 *   name       of the object and of the key
 *   component  whose health says so when it does not run: COMPONENT_ID of user/health
 *   figures    what is missing then; NULL: the component's checks say so themselves
 *   doc        of the key
 *   ...        the rest of struct object_row, see user/probe/objects.h; `.cgroup_maps = {NULL}` for
 *              programs that stand alone
 */
#ifndef MOONWATCH_CONCERNS_H
#define MOONWATCH_CONCERNS_H

/* The ways of request: "net: Add tracepoints for sock_sendmsg() and sock_recvmsg()", 6.3. */
#define CONCERN_ROWS(ROW)                                                                          \
    ROW(RUNQ, runq, SCHEDULER, NULL,                                                               \
        "Waits for a CPU and time on it. auto: the cheapest way this kernel has; twin: the other " \
        "one; off: none",                                                                          \
        .groups = {{{{.method = "rq-clock",                                                        \
                      .programs = {"runq_switch", "runq_migrate"},                                 \
                      .needs = {"sched_entity.cfs_rq", "cfs_rq.rq", "sched_info.last_queued"}},    \
                     {.method = "task-storage",                                                    \
                      .programs = {"runq_ts_switch", "runq_ts_wakeup", "runq_ts_new"},             \
                      .needs = {"bpf_local_storage_map.bpf_ma"}}},                                 \
                    .attached = ATTACHED_RUNQ}},                                                   \
        .cgroup_maps = {"runq_cgroup", "blocked_cgrp"})                                            \
    ROW(PROCESS, process, PERFORMANCE, "crashes and process lifecycle",                            \
        "Forks, execs, exits and crashes", .cgroup_maps = {"process_cgrp", "process_short"})       \
    ROW(OOM, oom, RESOURCES, "OOM kills", "OOM kills",                                             \
        .groups = {{{{.method = "task",                                                            \
                      .programs = {"oom_mark"},                                                    \
                      .needs = {"trace_event_raw_mark_victim.uid"}},                               \
                     {.method = "signal", .programs = {"oom_mark_pid", "oom_kill"}}}}})            \
    ROW(RECLAIM, reclaim, RESOURCES, "reclaim stalls", "Memory reclaim stalls",                    \
        .groups = {{{{.programs = {"reclaim_begin", "reclaim_end"}}},                              \
                    .attached = ATTACHED_RECLAIM_DIRECT},                                          \
                   {{{.programs = {"memcg_begin", "memcg_end"}}},                                  \
                    .attached = ATTACHED_RECLAIM_MEMCG}},                                          \
        .cgroup_maps = {"reclaim_cgrp"})                                                           \
    ROW(BLKIO, blkio, RESOURCES, "block I/O latency", "Block I/O latency and errors",              \
        .groups = {                                                                                \
            {{{.programs = {"blkio_issue", "blkio_complete"}}}, .attached = ATTACHED_BLKIO}})      \
    ROW(TCP, tcp, PERFORMANCE, "TCP latency and failures",                                         \
        "TCP connections, failures, retransmissions",                                              \
        .groups = {{{{.programs = {"tcp_state"}}}, .attached = ATTACHED_TCP}})                     \
    ROW(TASKS, tasks, RESOURCES, "top processes", "The task snapshot behind the top offenders",    \
        .cgroup_maps = {NULL})                                                                     \
    ROW(REQUEST, request, PERFORMANCE, "latency and failures of calls",                            \
        "Calls of upstreams and services: latency, failures, what is in flight",                   \
        .groups = {{{{.method = "socket",                                                          \
                      .programs = {"request_state", "request_sent", "request_read"},               \
                      .needs = {"trace_event_raw_sock_msg_length.sk"}},                            \
                     {.method = "packet",                                                          \
                      .programs = {"request_state_p", "request_queued", "request_read_p"}}}}})     \
    ROW(BREAKER, breaker, PERFORMANCE, "breaker enforcement",                                      \
        "Enforcement of open breakers at connect()",                                               \
        .groups = {{{{.programs = {"breaker_conn4", "breaker_conn6"}}}}})

#endif
