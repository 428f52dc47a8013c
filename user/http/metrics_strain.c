/* Pressure, processes and their limits, throttled cgroups. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    size_t at; /* in struct pressure */
} pressure_shares[] = {
    {"some", offsetof(struct pressure, some)},
    {"full", offsetof(struct pressure, full)},
};

static const struct {
    const char *name;
    size_t at; /* in struct pressure_line */
} pressure_windows[] = {
    {"10s", offsetof(struct pressure_line, avg10_percent)},
    {"60s", offsetof(struct pressure_line, avg60_percent)},
    {"300s", offsetof(struct pressure_line, avg300_percent)},
};

static const struct pressure_line *pressure_line(const struct pressure *p, size_t share)
{
    return (const void *)((const char *)p + pressure_shares[share].at);
}

static void add_pressure_ratios(struct exposition *e, const char *resource,
                                const struct pressure *p)
{
    for (size_t share = 0; share < COUNT(pressure_shares); share++) {
        const char *line = (const char *)pressure_line(p, share);

        for (size_t w = 0; w < COUNT(pressure_windows); w++)
            exposition_reading(
                e,
                LABELS({"resource", resource}, {"share", pressure_shares[share].name},
                       {"window", pressure_windows[w].name}),
                *(const struct reading *)(line + pressure_windows[w].at), FROM_PERCENT);
    }
}

void metrics_pressure(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_family seconds = {
        "moonwatch_pressure_stalled_seconds", METRIC_COUNTER,
        "Time in which some or all tasks stood still for a resource, since boot (PSI)."};
    static const struct metric_family ratio = {
        "moonwatch_pressure_ratio", METRIC_GAUGE,
        "Share of the window in which some or all tasks stood still for a resource (PSI)."};
    static const struct metric_family triggers = {"moonwatch_pressure_triggers", METRIC_COUNTER,
                                                  "Times the kernel's pressure trigger fired."};
    const struct pressure_snapshot *pressure = &s->snapshot->pressure;

    (void)m;
    if (pressure->missing)
        return;
    METRIC_FAMILY(e, seconds, "resource share ", NEED_NOTHING);
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        for (size_t share = 0; share < COUNT(pressure_shares); share++)
            exposition_reading(
                e,
                LABELS({"resource", pressure_resource_name((enum pressure_resource)r)},
                       {"share", pressure_shares[share].name}),
                pressure_line(&pressure->resource[r], share)->seconds_total, 1);
    }
    METRIC_FAMILY(e, ratio, "resource share window ", NEED_NOTHING);
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++)
        add_pressure_ratios(e, pressure_resource_name((enum pressure_resource)r),
                            &pressure->resource[r]);
    METRIC_FAMILY(e, triggers, "resource ", NEED_NOTHING);
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT && !pressure->triggers_missing; r++)
        exposition_sample(e,
                          LABELS({"resource", pressure_resource_name((enum pressure_resource)r)}),
                          pressure->resource[r].triggers_total);
}

void metrics_processes(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        READING_GAUGE("moonwatch_processes", "Processes now.", struct process_snapshot, processes,
                      1),
        READING_GAUGE("moonwatch_threads", "Threads now.", struct process_snapshot, threads, 1),
        READING_GAUGE("moonwatch_pid_limit", "kernel.pid_max.", struct process_snapshot, pid_limit,
                      1),
        READING_GAUGE("moonwatch_threads_limit", "kernel.threads-max.", struct process_snapshot,
                      threads_limit, 1),
        READING_GAUGE("moonwatch_pid_usage_ratio", "Threads against the lower of the two limits.",
                      struct process_snapshot, pid_usage_percent, FROM_PERCENT),
        READING_GAUGE("moonwatch_files_open", "File handles of the host in use.",
                      struct process_snapshot, files_open, 1),
        READING_GAUGE("moonwatch_files_limit", "fs.file-max.", struct process_snapshot, files_limit,
                      1),
        DOUBLE_GAUGE("moonwatch_task_snapshot_seconds", "What the last task snapshot took.",
                     struct process_snapshot, top_seconds, 1),
    };
    static const struct metric_column lifecycle[] = {
        U64_COUNTER("moonwatch_process_forks", "Processes created, since the probe was attached.",
                    struct process_stats, forks, 1),
        U64_COUNTER("moonwatch_process_execs", "Programs executed, since the probe was attached.",
                    struct process_stats, execs, 1),
        U64_COUNTER("moonwatch_process_exits", "Processes ended, since the probe was attached.",
                    struct process_stats, exits, 1),
        U64_COUNTER("moonwatch_process_exits_abnormal",
                    "Processes ended by a signal or with a non-zero status.", struct process_stats,
                    exits_abnormal, 1),
        U64_COUNTER("moonwatch_process_exits_by_signal", "Processes ended by a signal.",
                    struct process_stats, exits_by_signal, 1),
    };
    const struct process_snapshot *process = &s->snapshot->process;
    /* The last column is the task snapshot's. */
    size_t count = COUNT(columns) - (process->top_missing ? 1 : 0);

    (void)m;
    METRIC_DECLARE(&columns[0].family, sizeof(columns[0]), COUNT(columns) - 1, "", NEED_NOTHING);
    METRIC_DECLARE(&columns[COUNT(columns) - 1].family, 0, 1, "", NEED_TASKS);
    metric_columns(e, columns, count,
                   &(const struct metric_rows){process, sizeof(*process), 1, NULL});
    if (!process->lifecycle_missing)
        METRIC_COLUMNS(e, lifecycle, "", NEED_PROCESS,
                       (&(const struct metric_rows){&process->lifecycle, sizeof(process->lifecycle),
                                                    1, NULL}));
}

static size_t label_throttle(const void *row, struct label ret[METRIC_LABELS_MAX],
                             char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"cgroup", ((const struct cpu_throttle *)row)->path};
    return 1;
}

void metrics_throttle(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        DOUBLE_COUNTER("moonwatch_cgroup_cpu_periods",
                       "Quota periods in which the cgroup wanted to run.", struct cpu_throttle,
                       periods_total, 1),
        DOUBLE_COUNTER("moonwatch_cgroup_cpu_throttled_periods",
                       "Quota periods in which the cgroup used up its quota and had to wait.",
                       struct cpu_throttle, throttled_periods_total, 1),
        DOUBLE_COUNTER("moonwatch_cgroup_cpu_throttled_seconds",
                       "Time the cgroup's run queues stood still for want of quota.",
                       struct cpu_throttle, throttled_seconds_total, 1),
    };
    const struct throttle_snapshot *throttle = &s->snapshot->throttle;

    if (!throttle->missing)
        METRIC_COLUMNS(e, columns, "cgroup ", NEED_NOTHING,
                       (&(const struct metric_rows){
                           throttle->rows, sizeof(struct cpu_throttle),
                           metric_lists_rows(&m->lists, e, LIST_THROTTLED, throttle->count,
                                             sizeof(columns) / sizeof(columns[0]), 0),
                           label_throttle}));
}
