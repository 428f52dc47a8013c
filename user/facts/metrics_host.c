/* The agent's build, CPU and memory. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"
#include <stdio.h>

void metrics_build(struct exposition *e, struct metrics *m, const struct facts *s)
{
    static const struct metric_family build = {"moonwatch_build", METRIC_INFO,
                                               "The agent's version."};
    static const struct metric_family started = {"moonwatch_start_time_seconds", METRIC_GAUGE,
                                                 "When the agent started, since the epoch."};

    (void)m;
    METRIC_FAMILY(e, build, "version ", NEED_NOTHING);
    exposition_count(e, LABELS({"version", MOONWATCH_VERSION}), 1);
    METRIC_FAMILY(e, started, "", NEED_NOTHING);
    if (s->started_realtime_ns)
        exposition_sample(e, NULL, 0, (double)s->started_realtime_ns / FROM_NS);
}

static void add_modes(struct exposition *e, const struct cpu_times *times, const char *core)
{
    for (int mode = 0; mode < CPU_MODE_COUNT; mode++) {
        const char *name = cpu_mode_name((enum cpu_mode)mode);

        if (core)
            exposition_sample(e, LABELS({"core", core}, {"mode", name}),
                              times->seconds_total[mode]);
        else
            exposition_sample(e, LABELS({"mode", name}), times->seconds_total[mode]);
    }
}

static void add_cores(struct exposition *e, const struct cpu_snapshot *cpu)
{
    char core[16];

    for (size_t i = 0; i < cpu->core_count; i++) {
        snprintf(core, sizeof(core), "%u", cpu->cores[i].id);
        add_modes(e, &cpu->cores[i].times, core);
    }
}

void metrics_cpu(struct exposition *e, struct metrics *m, const struct facts *s)
{
    static const struct metric_family total = {
        "moonwatch_cpu_seconds", METRIC_COUNTER,
        "CPU time of all cores by mode, since boot. Guest time is part of user and nice."};
    static const struct metric_family per_core = {"moonwatch_cpu_core_seconds", METRIC_COUNTER,
                                                  "CPU time by core and mode, since boot."};
    const struct cpu_snapshot *cpu = &s->snapshot->cpu;

    (void)m;
    if (cpu->missing)
        return;
    METRIC_FAMILY(e, total, "mode ", NEED_NOTHING);
    add_modes(e, &cpu->total, NULL);
    METRIC_FAMILY(e, per_core, "core mode ", NEED_NOTHING);
    add_cores(e, cpu);
    metric_object(e, &cpu_table, cpu);
}

void metrics_memory(struct exposition *e, struct metrics *m, const struct facts *s)
{
    (void)m;
    metric_object(e, &memory_table, &s->snapshot->memory);
}
