/* Limits of single processes, cgroups and listeners, and tasks that are stuck. */
#include "http/tables.h"
#include "model/snapshot.h"

#define TYPE struct process_files
static const struct field process_files_fields[] = {
    ROW("comm", FIELD_CHARS, comm),
    ROW("pid", FIELD_U32, pid),
    ROW("usage_percent", FIELD_DOUBLE, usage_percent, .decimals = 1),
    ROW("open", FIELD_DOUBLE, open),
    ROW("limit", FIELD_DOUBLE, limit, .about = "its RLIMIT_NOFILE"),
};
#undef TYPE

const struct field_table process_files_table =
    FIELD_TABLE("ProcessFiles", process_files_fields,
                "The process of its name that is nearest to its own limit of open files.");

#define TYPE struct cgroup_pids
static const struct field cgroup_pids_fields[] = {
    ROW("cgroup", FIELD_CHARS, path),
    ROW("usage_percent", FIELD_DOUBLE, usage_percent, .decimals = 1),
    ROW("tasks", FIELD_DOUBLE, current),
    ROW("limit", FIELD_DOUBLE, limit, .about = "pids.max"),
    ROW("forks_refused_total", FIELD_DOUBLE, refused_total, .about = "since the agent started"),
};
#undef TYPE

const struct field_table cgroup_pids_table =
    FIELD_TABLE("CgroupPids", cgroup_pids_fields, "A cgroup that may hold so many tasks only.");

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

#define TYPE struct listener
static const struct field listener_fields[] = {
    ROW("port", FIELD_U32, port),
    ROW("cgroup", FIELD_CHARS, cgroup, .unknown = "the cgroup could not be resolved"),
    ROW("usage_percent", FIELD_DOUBLE, usage_percent, .decimals = 1),
    ROW("queue", FIELD_DOUBLE, queue, .about = "connections that wait to be accepted"),
    ROW("backlog", FIELD_DOUBLE, backlog),
    ROW("dropped_total", FIELD_DOUBLE, drops_total,
        .about = "connections, for a full queue mostly, since the agent saw it first"),
};
#undef TYPE

const struct field_table listener_table =
    FIELD_TABLE("Listener", listener_fields, "A port that is listened on, with its accept queue.");
