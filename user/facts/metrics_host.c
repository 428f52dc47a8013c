/* The agent's build, and CPU time by mode. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include <stdio.h>

void metrics_build(struct metrics_page *page)
{
    static const struct metric_family build = {"moonwatch_build", METRIC_INFO,
                                               "The agent's version."};
    static const struct metric_family started = {"moonwatch_start_time_seconds", METRIC_GAUGE,
                                                 "When the agent started, since the epoch."};

    METRIC_FAMILY(page->e, build, "version ", NEED_NOTHING);
    exposition_count(page->e, LABELS({"version", MOONWATCH_VERSION}), 1);
    METRIC_FAMILY(page->e, started, "", NEED_NOTHING);
    if (page->facts->started_realtime_ns)
        exposition_sample(page->e, NULL, 0,
                          (double)page->facts->started_realtime_ns / NS_PER_SECOND);
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

void metrics_cpu(struct metrics_page *page)
{
    static const struct metric_family total = {
        "moonwatch_cpu_seconds", METRIC_COUNTER,
        "CPU time of all cores by mode, since boot. Guest time is part of user and nice."};
    static const struct metric_family per_core = {"moonwatch_cpu_core_seconds", METRIC_COUNTER,
                                                  "CPU time by core and mode, since boot."};
    const struct cpu_snapshot *cpu = &page->facts->snapshot->cpu;

    if (cpu->missing)
        return;
    METRIC_FAMILY(page->e, total, "mode ", NEED_NOTHING);
    add_modes(page->e, &cpu->total, NULL);
    METRIC_FAMILY(page->e, per_core, "core mode ", NEED_NOTHING);
    add_cores(page->e, cpu);
}
