/* Pressure, processes and their limits, throttled cgroups. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"

void metrics_pressure(struct exposition *e, struct metrics *m, const struct facts *s)
{
    (void)m;
    metric_object(e, &pressure_resources_table, &s->snapshot->pressure);
}

void metrics_processes(struct exposition *e, struct metrics *m, const struct facts *s)
{
    (void)m;
    metric_object(e, &processes_table, &s->snapshot->process);
    metric_object(e, &files_table, &s->snapshot->process);
}

static size_t label_throttle(const void *row, struct label ret[METRIC_LABELS_MAX],
                             char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"cgroup", ((const struct cpu_throttle *)row)->path};
    return 1;
}

void metrics_throttle(struct exposition *e, struct metrics *m, const struct facts *s)
{
    const struct throttle_snapshot *throttle = &s->snapshot->throttle;
    struct metric_rows rows = {throttle->rows, sizeof(struct cpu_throttle), 0, label_throttle, 0};

    if (throttle->missing)
        return;
    rows.count = metric_lists_rows(&m->lists, e, LIST_THROTTLED, throttle->count,
                                   metric_table_series(&cpu_throttle_table, 0), 0);
    metric_table(e, &cpu_throttle_table, &rows);
}
