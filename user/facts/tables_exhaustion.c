/* Limits of single processes, cgroups and listeners, and tasks that are stuck. */
#include "facts/tables.h"
#include "model/snapshot.h"
#include <stdio.h>

#define TYPE struct process_files
static const struct field process_files_fields[] = {
    ROW("comm", FIELD_CHARS, comm),
    ROW("pid", FIELD_U32, pid),
    ROW("usage_percent", FIELD_DOUBLE, usage_percent, .decimals = 1,
        GAUGE("moonwatch_process_files_usage_ratio",
              "Open files against its own limit (RLIMIT_NOFILE) of the process that is "
              "nearest to it."),
        JUDGED("process_files"), LIMIT(100)),
    ROW("open", FIELD_DOUBLE, open),
    ROW("limit", FIELD_DOUBLE, limit, .about = "its RLIMIT_NOFILE"),
};
#undef TYPE

FIELD_METRICS(process_files_fields, "", NEED_NOTHING);
const struct field_table process_files_table =
    FIELD_TABLE("ProcessFiles", process_files_fields,
                "The process of its name that is nearest to its own limit of open files.");

static void label_cgroup(const void *row, struct row_labels *ret)
{
    const struct cgroup_pids *r = row;

    row_label(ret, "cgroup", r->path);
}

#define TYPE struct cgroup_pids
static const struct field cgroup_pids_fields[] = {
    ROW("cgroup", FIELD_CHARS, path),
    ROW("usage_percent", FIELD_DOUBLE, usage_percent, .decimals = 1, JUDGED("cgroup_pids")),
    ROW("tasks", FIELD_DOUBLE, current,
        GAUGE("moonwatch_cgroup_pids", "Tasks in a cgroup that has a limit of them."),
        LIMIT_AT(limit)),
    ROW("limit", FIELD_DOUBLE, limit, .about = "pids.max",
        GAUGE("moonwatch_cgroup_pids_limit", "pids.max.")),
    ROW("forks_refused_total", FIELD_DOUBLE, refused_total, .about = "since the agent started",
        COUNTER("moonwatch_cgroup_forks_refused",
                "Forks refused for pids.max, since the agent started.")),
};
#undef TYPE

FIELD_METRICS(cgroup_pids_fields, "cgroup ", NEED_NOTHING);
const struct field_table cgroup_pids_table =
    FIELD_TABLE("CgroupPids", cgroup_pids_fields, "A cgroup that may hold so many tasks only.",
                .label = label_cgroup);

#define TYPE struct stuck_task
static const struct field stuck_task_fields[] = {
    ROW("comm", FIELD_CHARS, comm),
    ROW("pid", FIELD_U32, tgid),
    ROW("thread_id", FIELD_U32, pid),
    ROW("cgroup_id", FIELD_U64, cgroup_id),
    ROW("seconds", FIELD_DOUBLE, seconds, .decimals = 1),
    ROW("wait_channel", FIELD_CHARS, wait_channel,
        .unknown = "this kernel does not tell the function a task sleeps in"),
};
#undef TYPE

const struct field_table stuck_task_table = FIELD_TABLE(
    "StuckTask", stuck_task_fields, "A task in uninterruptible sleep that has not run since.");

static void label_listener(const void *row, struct row_labels *ret)
{
    const struct listener *r = row;

    snprintf(ret->scratch, sizeof(ret->scratch), "%u", r->port);
    row_label(ret, "port", ret->scratch);
}

#define TYPE struct listener
static const struct field listener_fields[] = {
    ROW("port", FIELD_U32, port),
    ROW("cgroup", FIELD_CHARS, cgroup, .unknown = "the cgroup could not be resolved"),
    ROW("usage_percent", FIELD_DOUBLE, usage_percent, .decimals = 1, JUDGED("accept_queue")),
    ROW("queue", FIELD_DOUBLE, queue, .about = "connections that wait to be accepted",
        GAUGE("moonwatch_listener_queue", "Connections that wait to be accepted."),
        LIMIT_AT(backlog)),
    ROW("backlog", FIELD_DOUBLE, backlog,
        GAUGE("moonwatch_listener_backlog", "How many may wait.")),
    ROW("dropped_total", FIELD_DOUBLE, drops_total,
        .about = "connections, for a full queue mostly, since the agent saw it first",
        COUNTER("moonwatch_listener_dropped",
                "Connections dropped by the sockets of this port, for a full queue mostly, "
                "since the agent saw them first.")),
};
#undef TYPE

FIELD_METRICS(listener_fields, "port ", NEED_NOTHING);
const struct field_table listener_table =
    FIELD_TABLE("Listener", listener_fields, "A port that is listened on, with its accept queue.",
                .label = label_listener);
