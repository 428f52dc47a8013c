/* The agent's build, CPU and memory. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include <stdio.h>

void metrics_build(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
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

void metrics_cpu(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_family total = {
        "moonwatch_cpu_seconds", METRIC_COUNTER,
        "CPU time of all cores by mode, since boot. Guest time is part of user and nice."};
    static const struct metric_family per_core = {"moonwatch_cpu_core_seconds", METRIC_COUNTER,
                                                  "CPU time by core and mode, since boot."};
    static const struct metric_column columns[] = {
        READING_GAUGE("moonwatch_cpu_usage_ratio",
                      "Share of the last second that was neither idle nor waiting for I/O.",
                      struct cpu_snapshot, total.usage_percent, FROM_PERCENT),
        READING_GAUGE("moonwatch_load1", "Load average over 1 minute.", struct cpu_snapshot, load1,
                      1),
        READING_GAUGE("moonwatch_load5", "Load average over 5 minutes.", struct cpu_snapshot, load5,
                      1),
        READING_GAUGE("moonwatch_load15", "Load average over 15 minutes.", struct cpu_snapshot,
                      load15, 1),
        READING_GAUGE("moonwatch_tasks_runnable", "Tasks running or waiting for a CPU.",
                      struct cpu_snapshot, runnable, 1),
        READING_GAUGE("moonwatch_tasks_blocked", "Tasks in uninterruptible sleep.",
                      struct cpu_snapshot, blocked, 1),
        READING_COUNTER("moonwatch_context_switches", "Context switches since boot.",
                        struct cpu_snapshot, context_switches_total, 1),
        READING_GAUGE("moonwatch_boot_time_seconds", "When the host booted, since the epoch.",
                      struct cpu_snapshot, boot_time_seconds, 1),
    };
    const struct cpu_snapshot *cpu = &s->snapshot->cpu;

    (void)m;
    if (cpu->missing)
        return;
    METRIC_FAMILY(e, total, "mode ", NEED_NOTHING);
    add_modes(e, &cpu->total, NULL);
    METRIC_FAMILY(e, per_core, "core mode ", NEED_NOTHING);
    add_cores(e, cpu);
    METRIC_COLUMNS(e, columns, "", NEED_NOTHING,
                   (&(const struct metric_rows){cpu, sizeof(*cpu), 1, NULL}));
}

void metrics_memory(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        READING_GAUGE("moonwatch_memory_total_bytes", "Memory of the host.", struct memory_snapshot,
                      total_bytes, 1),
        READING_GAUGE("moonwatch_memory_available_bytes",
                      "Memory that can be had without swapping: the kernel's estimate and what "
                      "ZFS's cache holds above its least.",
                      struct memory_snapshot, available_bytes, 1),
        READING_GAUGE("moonwatch_memory_arc_reclaimable_bytes",
                      "What ZFS's cache holds above its least; no sample without ZFS.",
                      struct memory_snapshot, arc_reclaimable_bytes, 1),
        READING_GAUGE("moonwatch_memory_free_bytes", "Memory used for nothing at all.",
                      struct memory_snapshot, free_bytes, 1),
        READING_GAUGE("moonwatch_memory_usage_ratio", "Share of memory that is not available.",
                      struct memory_snapshot, usage_percent, FROM_PERCENT),
        READING_GAUGE("moonwatch_memory_buffers_bytes", "Buffers of block devices.",
                      struct memory_snapshot, buffers_bytes, 1),
        READING_GAUGE("moonwatch_memory_cached_bytes", "Page cache.", struct memory_snapshot,
                      cached_bytes, 1),
        READING_GAUGE("moonwatch_memory_dirty_bytes", "Page cache not yet written to disk.",
                      struct memory_snapshot, dirty_bytes, 1),
        READING_GAUGE("moonwatch_memory_writeback_bytes", "Page cache being written to disk.",
                      struct memory_snapshot, writeback_bytes, 1),
        READING_GAUGE("moonwatch_memory_slab_bytes", "The kernel's own objects.",
                      struct memory_snapshot, slab_bytes, 1),
        READING_GAUGE("moonwatch_memory_slab_reclaimable_bytes",
                      "The kernel's own objects that it can give up.", struct memory_snapshot,
                      slab_reclaimable_bytes, 1),
        READING_GAUGE("moonwatch_swap_total_bytes", "Swap of the host.", struct memory_snapshot,
                      swap_total_bytes, 1),
        READING_GAUGE("moonwatch_swap_free_bytes", "Swap not in use.", struct memory_snapshot,
                      swap_free_bytes, 1),
        READING_GAUGE("moonwatch_hugepages", "Huge pages reserved.", struct memory_snapshot,
                      hugepages_total, 1),
        READING_GAUGE("moonwatch_hugepages_free", "Huge pages reserved and not in use.",
                      struct memory_snapshot, hugepages_free, 1),
        READING_GAUGE("moonwatch_hugepage_size_bytes", "Size of a huge page.",
                      struct memory_snapshot, hugepage_size_bytes, 1),
        READING_COUNTER("moonwatch_memory_oom_kills",
                        "Processes the OOM killer ended, by the kernel's own count since boot.",
                        struct memory_snapshot, oom_kills_total, 1),
        READING_COUNTER("moonwatch_swap_in_pages", "Pages read from swap since boot.",
                        struct memory_snapshot, swap_in_pages_total, 1),
        READING_COUNTER("moonwatch_swap_out_pages", "Pages written to swap since boot.",
                        struct memory_snapshot, swap_out_pages_total, 1),
        READING_COUNTER("moonwatch_major_faults", "Page faults that needed I/O, since boot.",
                        struct memory_snapshot, major_faults_total, 1),
    };
    const struct memory_snapshot *memory = &s->snapshot->memory;

    (void)m;
    if (!memory->missing)
        METRIC_COLUMNS(e, columns, "", NEED_NOTHING,
                       (&(const struct metric_rows){memory, sizeof(*memory), 1, NULL}));
}
