/* CPU, memory, pressure and throttling: what may be high for a while. */
#include "health/definition.h"
#include <stddef.h>

#define LEVEL_AT(member) offsetof(struct config, health_monitor.thresholds.member)
#define LOAD .raise_ns = CHECK_RAISE_NS, .clear_ns = CHECK_CLEAR_NS

/* Swap in use harms nobody as long as memory is free; see read_swap(). */
#define SWAP_PRESSURE_PERCENT 10

static void add_growth(struct phrase *p, struct reading bytes_per_second)
{
    /* Below 1 MiB/min the trend of a process is noise. */
    if (!reading_known(bytes_per_second) || bytes_per_second.value * 60 < 0x1p20)
        return;
    phrase_add(p, ", growing ");
    phrase_bytes(p, bytes_per_second.value * 60);
    phrase_add(p, "/min");
}

static void advise_rss(const struct health_input *in, const struct check_definition *d,
                       size_t index, struct phrase *p)
{
    const struct process_snapshot *process = &in->snapshot->process;
    const struct process_row *row = &process->top[TOP_RSS][0];

    (void)d;
    (void)index;
    if (process->top_count[TOP_RSS] == 0)
        return;
    phrase_add(p, "; largest: %s (pid %u) ", row->comm, row->pid);
    phrase_bytes(p, (double)row->rss_bytes);
    add_growth(p, row->rss_bytes_per_second);
}

static void advise_cpu(const struct health_input *in, const struct check_definition *d,
                       size_t index, struct phrase *p)
{
    const struct process_snapshot *process = &in->snapshot->process;
    const struct process_row *row = &process->top[TOP_CPU][0];

    (void)d;
    (void)index;
    if (process->top_count[TOP_CPU] > 0 && reading_known(row->cpu_percent))
        phrase_add(p, "; most: %s (pid %u) %.0f %% of a core", row->comm, row->pid,
                   row->cpu_percent.value);
}

static void advise_blocked(const struct health_input *in, const struct check_definition *d,
                           size_t index, struct phrase *p)
{
    const struct process_snapshot *process = &in->snapshot->process;
    const struct process_row *row = &process->top[TOP_BLOCKED][0];

    (void)d;
    (void)index;
    if (process->top_count[TOP_BLOCKED] > 0 && reading_known(row->blocked_percent))
        phrase_add(p, "; most: %s (pid %u) blocked %.0f %% of the time", row->comm, row->pid,
                   row->blocked_percent.value);
}

static bool read_cpu(const struct health_input *in, const struct check_definition *d, size_t index,
                     struct check_sample *ret)
{
    const struct cpu_snapshot *cpu = &in->snapshot->cpu;

    (void)d;
    (void)index;
    ret->value = cpu->missing ? reading_missing(cpu->missing) : cpu->total.usage_percent;
    return true;
}

static void say_cpu(const struct health_input *in, const struct check_definition *d, size_t index,
                    double value, struct phrase *p)
{
    const struct reading steal = in->snapshot->cpu.total.percent[CPU_STEAL];

    (void)d;
    (void)index;
    phrase_add(p, "cpu %.1f %% busy", value);
    /* What the hypervisor takes is not this host's load; from 5 % on it explains a slow guest. */
    if (!in->snapshot->cpu.missing && reading_known(steal) && steal.value >= 5)
        phrase_add(p, " (%.0f %% stolen by the hypervisor)", steal.value);
}

static bool read_memory(const struct health_input *in, const struct check_definition *d,
                        size_t index, struct check_sample *ret)
{
    const struct memory_snapshot *memory = &in->snapshot->memory;

    (void)d;
    (void)index;
    ret->value = memory->missing ? reading_missing(memory->missing) : memory->usage_percent;
    return true;
}

static void say_memory(const struct health_input *in, const struct check_definition *d,
                       size_t index, double value, struct phrase *p)
{
    (void)in;
    (void)d;
    (void)index;
    phrase_add(p, "memory %.1f %% used", value);
}

static bool read_swap(const struct health_input *in, const struct check_definition *d, size_t index,
                      struct check_sample *ret)
{
    const struct memory_snapshot *memory = &in->snapshot->memory;
    const struct pressure_snapshot *psi = &in->snapshot->pressure;
    struct reading some = psi->resource[PRESSURE_MEMORY].some.avg10_percent;
    bool short_of_memory =
        memory->usage_percent.value >= in->config->health_monitor.thresholds.memory_warning;
    bool under_pressure =
        !psi->missing && reading_known(some) && some.value >= SWAP_PRESSURE_PERCENT;

    (void)d;
    (void)index;
    if (memory->missing || !reading_known(memory->swap_usage_percent))
        return false;
    ret->value = memory->swap_usage_percent;
    ret->quiet = !short_of_memory && !under_pressure;
    return true;
}

static void say_swap(const struct health_input *in, const struct check_definition *d, size_t index,
                     double value, struct phrase *p)
{
    (void)in;
    (void)d;
    (void)index;
    phrase_add(p, "swap %.1f %% used while memory is short", value);
}

#define PRESSURE_FULL 0x100 /* in `which`: the line `full` */

static const struct pressure_line *pressure_line(const struct health_input *in,
                                                 const struct check_definition *d)
{
    const struct pressure *p = &in->snapshot->pressure.resource[d->which & ~PRESSURE_FULL];

    return d->which & PRESSURE_FULL ? &p->full : &p->some;
}

static bool read_pressure(const struct health_input *in, const struct check_definition *d,
                          size_t index, struct check_sample *ret)
{
    const char *missing = in->snapshot->pressure.missing;

    (void)index;
    ret->key = pressure_resource_name((enum pressure_resource)(d->which & ~PRESSURE_FULL));
    ret->value = missing ? reading_missing(missing) : pressure_line(in, d)->avg10_percent;
    return true;
}

static void say_pressure(const struct health_input *in, const struct check_definition *d,
                         size_t index, double value, struct phrase *p)
{
    (void)in;
    (void)index;
    phrase_add(p, "%s tasks stood still for %s %.1f %% of the last 10 s",
               d->which & PRESSURE_FULL ? "all" : "some",
               pressure_resource_name((enum pressure_resource)(d->which & ~PRESSURE_FULL)), value);
}

static size_t count_throttled(const struct health_input *in)
{
    return in->snapshot->throttle.missing ? 0 : in->snapshot->throttle.count;
}

static bool read_throttled(const struct health_input *in, const struct check_definition *d,
                           size_t index, struct check_sample *ret)
{
    const struct cpu_throttle *row = &in->snapshot->throttle.rows[index];

    (void)d;
    ret->key = row->path;
    ret->value = row->throttled_percent;
    /* No period ended since the sample before: it did not run, so it was not throttled. */
    if (!reading_known(ret->value))
        ret->value = reading_of(0);
    return true;
}

static void say_throttled(const struct health_input *in, const struct check_definition *d,
                          size_t index, double value, struct phrase *p)
{
    (void)d;
    phrase_add(p, "cgroup ");
    phrase_path(p, in->snapshot->throttle.rows[index].path);
    phrase_add(p, " was throttled in %.0f %% of its CPU periods", value);
}

static void advise_throttled(const struct health_input *in, const struct check_definition *d,
                             size_t index, struct phrase *p)
{
    (void)d;
    (void)index;
    phrase_add(p, "; raise its %s or its work's need",
               in->snapshot->throttle.version == 1 ? "cpu.cfs_quota_us" : "cpu.max");
}

/* Levels that are not configurable:
 *  - swap 80/95: Netdata's used_swap warns at 80; behind it comes the OOM killer.
 *  - pressure, memory: systemd-oomd kills at 60 % (DefaultMemoryPressureLimit) of `full` after
 *    30 s; a page has to come well before that. `some` counts one stalled task and so takes more.
 *  - pressure, cpu and I/O: `some` is high whenever anything waits, a nightly backup too; so only
 *    a warning, at a level where it is most of the time. All tasks waiting for I/O (`full`) is
 *    time in which the host did nothing.
 *  - throttled 25 %: the Kubernetes mixin's CPUThrottlingHigh. */
static const struct check_definition rows[] = {
    {.name = "cpu",
     .component = COMPONENT_RESOURCES,
     .essential = true,
     .warning_at = LEVEL_AT(cpu_warning),
     .critical_at = LEVEL_AT(cpu_critical),
     .margin = 0.12,
     LOAD,
     .average_ns = 5 * NS_PER_SECOND,
     .read = read_cpu,
     .say = say_cpu,
     .advise = advise_cpu},
    {.name = "memory",
     .component = COMPONENT_RESOURCES,
     .essential = true,
     .warning_at = LEVEL_AT(memory_warning),
     .critical_at = LEVEL_AT(memory_critical),
     .margin = 0.05,
     LOAD,
     .read = read_memory,
     .say = say_memory,
     .advise = advise_rss},
    {.name = "swap",
     .component = COMPONENT_RESOURCES,
     .warning = 80,
     .critical = 95,
     .margin = 0.05,
     LOAD,
     .read = read_swap,
     .say = say_swap,
     .advise = advise_rss},
    {.name = "pressure",
     .component = COMPONENT_RESOURCES,
     .which = PRESSURE_CPU,
     .warning = 80,
     .critical = NAN,
     .margin = 0.2,
     LOAD,
     .read = read_pressure,
     .say = say_pressure,
     .advise = advise_cpu},
    {.name = "pressure",
     .component = COMPONENT_RESOURCES,
     .which = PRESSURE_MEMORY,
     .warning = 20,
     .critical = 50,
     .margin = 0.2,
     LOAD,
     .read = read_pressure,
     .say = say_pressure,
     .advise = advise_rss},
    {.name = "pressure",
     .component = COMPONENT_RESOURCES,
     .which = PRESSURE_IO,
     .warning = 70,
     .critical = NAN,
     .margin = 0.2,
     LOAD,
     .read = read_pressure,
     .say = say_pressure,
     .advise = advise_blocked},
    {.name = "pressure_full",
     .component = COMPONENT_RESOURCES,
     .which = PRESSURE_MEMORY | PRESSURE_FULL,
     .warning = 10,
     .critical = 40,
     .margin = 0.2,
     LOAD,
     .read = read_pressure,
     .say = say_pressure,
     .advise = advise_rss},
    {.name = "pressure_full",
     .component = COMPONENT_RESOURCES,
     .which = PRESSURE_IO | PRESSURE_FULL,
     .warning = 40,
     .critical = 80,
     .margin = 0.2,
     LOAD,
     .read = read_pressure,
     .say = say_pressure,
     .advise = advise_blocked},
    {.name = "throttled",
     .component = COMPONENT_RESOURCES,
     .warning = 25,
     .critical = NAN,
     .margin = 0.2,
     LOAD,
     .average_ns = 30 * NS_PER_SECOND,
     .count = count_throttled,
     .read = read_throttled,
     .say = say_throttled,
     .advise = advise_throttled},
};

const struct check_table load_checks = {rows, sizeof(rows) / sizeof(rows[0])};
