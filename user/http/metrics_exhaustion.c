/* What single processes, cgroups and listeners have left, and tasks that are stuck. Each list is
 * short: its worst rows. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include <stdio.h>

static size_t label_cgroup(const void *row, struct label ret[METRIC_LABELS_MAX],
                           char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"cgroup", ((const struct cgroup_pids *)row)->path};
    return 1;
}

static size_t label_listener(const void *row, struct label ret[METRIC_LABELS_MAX],
                             char scratch[METRIC_SCRATCH_BYTES])
{
    snprintf(scratch, METRIC_SCRATCH_BYTES, "%u", ((const struct listener *)row)->port);
    ret[0] = (struct label){"port", scratch};
    return 1;
}

void metrics_exhaustion(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column files[] = {
        DOUBLE_GAUGE("moonwatch_process_files_usage_ratio",
                     "Open files against its own limit (RLIMIT_NOFILE) of the process that is "
                     "nearest to it.",
                     struct process_files, usage_percent, FROM_PERCENT),
    };
    static const struct metric_column pids[] = {
        DOUBLE_GAUGE("moonwatch_cgroup_pids", "Tasks in a cgroup that has a limit of them.",
                     struct cgroup_pids, current, 1),
        DOUBLE_GAUGE("moonwatch_cgroup_pids_limit", "pids.max.", struct cgroup_pids, limit, 1),
        DOUBLE_COUNTER("moonwatch_cgroup_forks_refused",
                       "Forks refused for pids.max, since the agent started.", struct cgroup_pids,
                       refused_total, 1),
    };
    static const struct metric_column listeners[] = {
        DOUBLE_GAUGE("moonwatch_listener_queue", "Connections that wait to be accepted.",
                     struct listener, queue, 1),
        DOUBLE_GAUGE("moonwatch_listener_backlog", "How many may wait.", struct listener, backlog,
                     1),
        DOUBLE_COUNTER("moonwatch_listener_dropped",
                       "Connections dropped by the sockets of this port, for a full queue mostly, "
                       "since the agent saw them first.",
                       struct listener, drops_total, 1),
    };
    static const struct metric_column stuck[] = {
        DOUBLE_GAUGE("moonwatch_tasks_stuck_seconds",
                     "How long the longest task in uninterruptible sleep has not run.",
                     struct process_snapshot, stuck[0].seconds, 1),
    };
    const struct process_snapshot *process = &s->snapshot->process;
    const struct network_snapshot *network = &s->snapshot->network;

    (void)m;
    METRIC_COLUMNS(e, files, "", NEED_NOTHING,
                   (&(const struct metric_rows){process->files_of, sizeof(struct process_files),
                                                process->files_of_count > 0, NULL}));
    METRIC_COLUMNS(e, pids, "cgroup ", NEED_NOTHING,
                   (&(const struct metric_rows){process->cgroup_pids, sizeof(struct cgroup_pids),
                                                process->cgroup_pids_count, label_cgroup}));
    METRIC_COLUMNS(e, listeners, "port ", NEED_NOTHING,
                   (&(const struct metric_rows){network->listeners, sizeof(struct listener),
                                                network->listener_count, label_listener}));
    if (!process->top_missing)
        METRIC_COLUMNS(e, stuck, "", NEED_TASKS,
                       (&(const struct metric_rows){process, sizeof(*process), 1, NULL}));
}
