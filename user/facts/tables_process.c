/* Processes, limits, and what happened to them. */
#include "abi/reclaim.h"
#include "facts/tables.h"
#include "model/snapshot.h"
#include <stdio.h>
#include <string.h>

/* Only cgroups that something is counted for have a path here; the others keep their id. */
#define CGROUP_UNKNOWN "the cgroup is gone or not among those measured"

static const char *cgroup_of_id(const struct snapshot *snapshot, uint64_t id)
{
    const struct scheduler_snapshot *s = &snapshot->scheduler;
    const struct process_snapshot *p = &snapshot->process;

    for (size_t i = 0; id && !s->missing && i < s->cgroup_count; i++)
        if (s->cgroups[i].cgroup_id == id)
            return s->cgroups[i].path;
    for (size_t i = 0; id && !p->lifecycle_missing && i < p->lifecycle_cgroup_count; i++)
        if (p->lifecycle_cgroups[i].cgroup_id == id)
            return p->lifecycle_cgroups[i].path;
    return NULL;
}

static const char *process_cgroup(struct field_text *text)
{
    return cgroup_of_id(text->ctx, ((const struct process_row *)text->object)->cgroup_id);
}

static const char *process_priority(struct field_text *text)
{
    return priority_class_name(((const struct process_row *)text->object)->priority_class);
}

#define TYPE struct process_row
static const struct field process_fields[] = {
    ROW("pid", FIELD_U32, pid),
    ROW("ppid", FIELD_U32, ppid),
    ROW("comm", FIELD_CHARS, comm),
    ROW("threads", FIELD_U32, thread_count),
    COMPUTED("cgroup", process_cgroup, .unknown = CGROUP_UNKNOWN),
    ROW("cgroup_id", FIELD_U64, cgroup_id),
    COMPUTED("priority_class", process_priority, .choices = priority_class_names,
             .unknown = "not a class known to this version"),
    ROW("oom_score_adj", FIELD_I32, oom_score_adj),
    PERCENT("cpu_percent", cpu_percent, .about = "of one CPU"),
    PERCENT("short_children_cpu_percent", short_children_cpu_percent,
            .about = "of one CPU: children that began and ended between two snapshots"),
    PERCENT("run_delay_percent", run_delay_percent, .about = "of the time it waited for a CPU"),
    PERCENT("blocked_percent", blocked_percent, .about = "of the time in uninterruptible sleep"),
    ROW("rss_bytes", FIELD_U64, rss_bytes),
    WHOLE("rss_bytes_per_second", rss_bytes_per_second, .about = "trend of about five minutes"),
    ROW("swap_bytes", FIELD_U64, swap_bytes),
    WHOLE("read_bytes_per_second", read_bytes_per_second),
    WHOLE("written_bytes_per_second", written_bytes_per_second),
};
#undef TYPE

const struct field_table process_table = FIELD_TABLE("Process", process_fields, NULL);

#define TYPE struct short_processes_row
static const struct field short_fields[] = {
    ROW("comm", FIELD_CHARS, comm, .about = "empty: those that found no row of their own"),
    ROW("cgroup", FIELD_CHARS, cgroup_path, .unknown = CGROUP_UNKNOWN),
    ROW("cgroup_id", FIELD_U64, cgroup_id),
    ROW("processes_per_second", FIELD_DOUBLE, processes_per_second, .decimals = 1),
    ROW("cpu_percent", FIELD_DOUBLE, cpu_percent, .decimals = 1, .about = "of one CPU"),
};
#undef TYPE

const struct field_table short_processes_table =
    FIELD_TABLE("ShortProcesses", short_fields,
                "Processes of one name in one cgroup, whoever waited for them, if anybody.");

#define TYPE struct process_snapshot
static const struct field files_fields[] = {
    PERCENT("usage_percent", files_usage_percent, JUDGED("files")),
    WHOLE("open", files_open, .about = "on the whole host",
          GAUGE("moonwatch_files_open", "File handles of the host in use."), WATCHED,
          LIMIT_AT(files_limit)),
    WHOLE("limit", files_limit, .about = "fs.file-max",
          GAUGE("moonwatch_files_limit", "fs.file-max.")),
    LIST("processes", files_of, files_of_count, &process_files_table, struct process_files,
         .missing_at = MISSING_AT(TYPE, files_of_missing),
         .about = "nearest to limits of their own"),
};

FIELD_METRICS(files_fields, "", NEED_NOTHING);
const struct field_table files_table = FIELD_TABLE("FileDescriptors", files_fields, NULL);

static const struct field lifecycle_fields[] = {
    ROW("forks_total", FIELD_U64, lifecycle.forks,
        COUNTER("moonwatch_process_forks", "Processes created, since the probe was attached.")),
    ROW("execs_total", FIELD_U64, lifecycle.execs,
        COUNTER("moonwatch_process_execs", "Programs executed, since the probe was attached.")),
    ROW("exits_total", FIELD_U64, lifecycle.exits,
        COUNTER("moonwatch_process_exits", "Processes ended, since the probe was attached.")),
    ROW("exits_abnormal_total", FIELD_U64, lifecycle.exits_abnormal,
        .about = "by a signal or with a non-zero status",
        COUNTER("moonwatch_process_exits_abnormal",
                "Processes ended by a signal or with a non-zero status.")),
    ROW("exits_by_signal_total", FIELD_U64, lifecycle.exits_by_signal,
        COUNTER("moonwatch_process_exits_by_signal", "Processes ended by a signal.")),
};

FIELD_METRICS(lifecycle_fields, "", NEED_PROCESS);
static const struct field_table lifecycle_table =
    FIELD_TABLE("Lifecycle", lifecycle_fields, "Since the agent started.");

static const struct field processes_fields[] = {
    PERCENT("usage_percent", pid_usage_percent, .about = "threads against the lower limit",
            GAUGE("moonwatch_pid_usage_ratio", "Threads against the lower of the two limits."),
            AFTER("threads_limit"), JUDGED("pids"), WATCHED, LIMIT(100)),
    WHOLE("processes", processes, GAUGE("moonwatch_processes", "Processes now.")),
    WHOLE("threads", threads, GAUGE("moonwatch_threads", "Threads now.")),
    WHOLE("pid_limit", pid_limit, GAUGE("moonwatch_pid_limit", "kernel.pid_max.")),
    WHOLE("threads_limit", threads_limit, GAUGE("moonwatch_threads_limit", "kernel.threads-max.")),
    ROW("forks_per_second", FIELD_READING, forks_per_second, .decimals = 1),
    LIST("cgroups", cgroup_pids, cgroup_pids_count, &cgroup_pids_table, struct cgroup_pids,
         .missing_at = MISSING_AT(TYPE, cgroup_pids_missing),
         .about = "that have a limit: those that refused forks first, then the fullest"),
    ROW("stuck", FIELD_ROWS, stuck, .table = &stuck_task_table, .stride = sizeof(struct stuck_task),
        .count_offset = offsetof(TYPE, stuck_count), .missing_at = MISSING_AT(TYPE, top_missing),
        .about = "the longest first"),
    {.kind = FIELD_OBJECT, .table = &files_table}, /* a body of its own in JSON */
    FIGURE(FIELD_DOUBLE, top_seconds, .missing_at = MISSING_AT(TYPE, top_missing),
           GAUGE("moonwatch_task_snapshot_seconds", "What the last task snapshot took.",
                 .need = NEED_TASKS)),
    {.key = "lifecycle",
     .kind = FIELD_OBJECT,
     .table = &lifecycle_table,
     .missing_at = MISSING_AT(TYPE, lifecycle_missing)},
};

FIELD_METRICS(processes_fields, "", NEED_NOTHING);
const struct field_table processes_table = FIELD_TABLE("Processes", processes_fields, NULL);

static const struct field longest_stuck_fields[] = {
    FIGURE(FIELD_DOUBLE, stuck[0].seconds, JUDGED("stuck"),
           GAUGE("moonwatch_tasks_stuck_seconds",
                 "How long the longest task in uninterruptible sleep has not run.")),
};
#undef TYPE

FIELD_METRICS(longest_stuck_fields, "", NEED_TASKS);
const struct field_table longest_stuck_table =
    FIELD_TABLE(NULL, longest_stuck_fields, NULL,
                .missing_at = MISSING_AT(struct process_snapshot, top_missing));

static const char *const oom_scopes[] = {"host", "cgroup", NULL};

static const char *oom_scope(struct field_text *text)
{
    return oom_scopes[((const struct oom_capsule *)text->object)->global ? 0 : 1];
}

#define TYPE struct oom_capsule
static const struct field oom_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "not recorded"),
    ROW("pid", FIELD_U32, record.pid, .about = "of the victim"),
    ROW("comm", FIELD_CHARS, record.comm),
    ROW("uid", FIELD_U32, record.uid),
    ROW("oom_score_adj", FIELD_I32, record.oom_score_adj),
    ROW("anon_rss_bytes", FIELD_U64, record.anon_rss_bytes),
    ROW("file_rss_bytes", FIELD_U64, record.file_rss_bytes),
    ROW("total_vm_bytes", FIELD_U64, record.total_vm_bytes),
    COMPUTED("scope", oom_scope, .choices = oom_scopes,
             .about = "host: the host ran out; cgroup: a cgroup was at its limit"),
    ROW("cgroup", FIELD_CHARS, cgroup_path, .unknown = "the victim's cgroup could not be resolved"),
    ROW("limit_cgroup", FIELD_CHARS, limit_path,
        .unknown = "no cgroup was at its limit, or it could not be resolved"),
    ROW("limit_bytes", FIELD_U64, record.limit_bytes, .about = "0: no cgroup was at its limit"),
    ROW("snapshot_age_seconds", FIELD_DURATION, snapshot_age_ns, .decimals = 1,
        .about = "how old the rows below were when it struck"),
    ROW("top", FIELD_ROWS, top, .table = &process_table, .stride = sizeof(struct process_row),
        .count_offset = offsetof(TYPE, top_count), .about = "largest processes concerned"),
};
#undef TYPE

const struct field_table oom_table = FIELD_TABLE("OomKill", oom_fields, "An OOM kill.");

static const char *exit_kind(struct field_text *text)
{
    return exit_kind_name(((const struct crash *)text->object)->kind);
}

static const char *crash_cause(struct field_text *text)
{
    const struct record_exit *record = &((const struct crash *)text->object)->record;
    const char *name = sigabbrev_np((int)record->signal);

    if (record->signal == 0)
        snprintf(text->buffer, FIELD_TEXT_BYTES, "exit status %u", record->status);
    else
        snprintf(text->buffer, FIELD_TEXT_BYTES, "signal %u (%s%s)", record->signal,
                 name ? "SIG" : "", name ? name : "real-time");
    return text->buffer;
}

#define TYPE struct crash
static const struct field crash_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "not recorded"),
    ROW("pid", FIELD_U32, record.pid),
    ROW("ppid", FIELD_U32, record.ppid),
    ROW("comm", FIELD_CHARS, record.comm),
    COMPUTED("kind", exit_kind, .choices = exit_kind_names,
             .about = "crash: by a signal the program brought on itself; failed: a service's main "
                      "process, with a non-zero status; killed: by another signal; exit: any other "
                      "process with a non-zero status"),
    COMPUTED("cause", crash_cause, .about = "\"signal 11 (SIGSEGV)\" or \"exit status 3\""),
    ROW("signal", FIELD_U32, record.signal, .about = "0: it ended by itself"),
    ROW("exit_status", FIELD_U32, record.status, .about = "when it ended by itself"),
    ROW("age_seconds", FIELD_DURATION, record.age_ns, .decimals = 3),
    ROW("cgroup", FIELD_CHARS, cgroup_path, .unknown = "the cgroup could not be resolved"),
};
#undef TYPE

const struct field_table crash_table = FIELD_TABLE(
    "AbnormalExit", crash_fields, "A process that ended by a signal or a non-zero status.");

static const char *stall_kind(struct field_text *text)
{
    const struct record_stall *record = &((const struct stall *)text->object)->record;

    return record->kind < RECLAIM_KIND_COUNT ? reclaim_kind_names[record->kind] : NULL;
}

#define TYPE struct stall
static const struct field stall_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "not recorded"),
    ROW("pid", FIELD_U32, record.pid),
    ROW("comm", FIELD_CHARS, record.comm),
    ROW("stall_seconds", FIELD_DURATION, record.stall_ns, .decimals = 6),
    COMPUTED("kind", stall_kind, .choices = reclaim_kind_names,
             .unknown = "not known to this version",
             .about = "direct: the host ran low; memcg: a cgroup was at its limit"),
    ROW("cgroup", FIELD_CHARS, cgroup_path, .unknown = "the cgroup could not be resolved"),
};
#undef TYPE

const struct field_table stall_table =
    FIELD_TABLE("Stall", stall_fields, "A task that stood still to reclaim memory.");

static const char *wait_priority(struct field_text *text)
{
    return priority_class_name(((const struct slow_wait *)text->object)->priority_class);
}

#define TYPE struct slow_wait
static const struct field slow_wait_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "not recorded"),
    ROW("wait_seconds", FIELD_DURATION, wait_ns, .decimals = 6),
    ROW("pid", FIELD_U32, pid, .about = "who waited"),
    ROW("comm", FIELD_CHARS, comm),
    COMPUTED("priority_class", wait_priority, .choices = priority_class_names,
             .unknown = "not a class known to this version"),
    ROW("running_pid", FIELD_U32, running_pid, .about = "who had the CPU meanwhile"),
    ROW("running_comm", FIELD_CHARS, running_comm),
};
#undef TYPE

const struct field_table slow_wait_table =
    FIELD_TABLE("SlowWait", slow_wait_fields, "A wait on a run queue over the threshold.");

static const char *waits_cgroup(struct field_text *text)
{
    const struct cgroup_waits *row = text->object;

    return row->cgroup_id ? row->path : "other";
}

#define TYPE struct cgroup_waits
#define RUNQ .missing_at = MISSING_AT(TYPE, missing)
#define RECLAIM .missing_at = MISSING_AT(TYPE, reclaim_missing)
static const struct field cgroup_waits_fields[] = {
    COMPUTED("cgroup", waits_cgroup, .unknown = "the cgroup is gone",
             .about = "path, or `other` for those without a row of their own"),
    ROW("cgroup_id", FIELD_U64, cgroup_id),
    /* Every third bound: enough to see whose tail it is. */
    ROW("run_queue_delay", FIELD_LATENCY, delay, RUNQ, .about = "since the agent started",
        HISTOGRAM("moonwatch_cgroup_run_queue_delay_seconds",
                  "Runnable tasks waiting for a CPU, of the cgroups that waited most. See "
                  "moonwatch_run_queue_delay_seconds."),
        .step = 3),
    ROW("blocked", FIELD_LATENCY, blocked, RUNQ, .about = "uninterruptible sleep, likewise",
        COUNTER("moonwatch_cgroup_blocked_seconds", "Time in uninterruptible sleep, by cgroup.")),
    FIGURE(FIELD_LATENCY, blocked, RUNQ,
           COUNTER("moonwatch_cgroup_blocked_sleeps", "Uninterruptible sleeps, by cgroup.")),
    ROW("reclaim", FIELD_LATENCY, reclaim, RECLAIM, .about = "stalls to reclaim memory, likewise",
        COUNTER("moonwatch_cgroup_reclaim_stall_seconds",
                "Time stalled in memory reclaim, by cgroup.", .need = NEED_RECLAIM)),
    FIGURE(FIELD_LATENCY, reclaim, RECLAIM,
           COUNTER("moonwatch_cgroup_reclaim_stalls", "Stalls in memory reclaim, by cgroup.",
                   .need = NEED_RECLAIM)),
};
#undef RUNQ
#undef RECLAIM
#undef TYPE

static void label_waits(const void *row, struct row_labels *ret)
{
    row_label(ret, "cgroup", ((const struct cgroup_waits *)row)->path);
}

FIELD_METRICS(cgroup_waits_fields, "cgroup ", NEED_RUNQ);
const struct field_table cgroup_waits_table =
    FIELD_TABLE("CgroupWaits", cgroup_waits_fields, "What the tasks of one cgroup waited for.",
                .label = label_waits);
