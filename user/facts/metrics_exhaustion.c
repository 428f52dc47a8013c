/* What single processes, cgroups and listeners have left, and tasks that are stuck. Each list is
 * short: its worst rows. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"
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

void metrics_exhaustion(struct exposition *e, struct metrics *m, const struct facts *s)
{
    const struct process_snapshot *process = &s->snapshot->process;
    const struct network_snapshot *network = &s->snapshot->network;

    (void)m;
    if (process->files_of_count > 0)
        metric_object(e, &process_files_table, process->files_of);
    metric_table(e, &cgroup_pids_table,
                 &(const struct metric_rows){process->cgroup_pids, sizeof(struct cgroup_pids),
                                             process->cgroup_pids_count, label_cgroup, 0});
    metric_table(e, &listener_table,
                 &(const struct metric_rows){network->listeners, sizeof(struct listener),
                                             network->listener_count, label_listener, 0});
    if (!process->top_missing)
        metric_object(e, &stuck_task_table, process->stuck);
}
