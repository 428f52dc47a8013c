/* How busy the CPUs are, and who was kept from them by a quota. */
#include "health/culprit.h"
#include "health/definition.h"
#include "health/foreground.h"
#include <stddef.h>

#define LEVEL_AT(member) offsetof(struct config, health_monitor.thresholds.member)
#define LOAD .raise_ns = CHECK_RAISE_NS, .clear_ns = CHECK_CLEAR_NS

/* Less of it is not worth a word. */
#define BACKGROUND_SAID_PERCENT 5

/* A burst of waits is in the figures of the last minute for that long; what is left of 90 s after
 * it is half a minute that others were kept waiting. */
#define KEPT_WAITING_RAISE_NS (60 * NS_PER_SECOND + CHECK_RAISE_NS)

/* A busy CPU is what it was bought for. It is critical when it goes on, and sooner only when work
 * of normal or higher priority waits for it. */
static bool read_cpu(const struct check_at *at, struct check_sample *ret)
{
    const struct cpu_snapshot *cpu = &at->snapshot->cpu;
    struct reading background = foreground_background_percent(at->snapshot);
    double after_seconds = at->config->health_monitor.cpu_critical_after_seconds;

    ret->value = cpu->missing ? reading_missing(cpu->missing) : cpu->total.usage_percent;
    if (reading_known(ret->value) && reading_known(background))
        ret->judged = ret->value.value - background.value;
    ret->critical_raise_ns = clock_ns_of_seconds(after_seconds);
    if (ret->critical_raise_ns > KEPT_WAITING_RAISE_NS && foreground_kept_waiting(at->snapshot))
        ret->critical_raise_ns = KEPT_WAITING_RAISE_NS;
    return true;
}

static void say_cpu(const struct check_at *at, struct phrase *p)
{
    const struct reading steal = at->snapshot->cpu.total.percent[CPU_STEAL];
    struct reading background = foreground_background_percent(at->snapshot);

    phrase_add(p, "cpu %.1f %% busy", at->value < 0 ? 0 : at->value);
    if (reading_known(background) && background.value >= BACKGROUND_SAID_PERCENT)
        phrase_add(p, " beside low-priority work");
    /* What the hypervisor takes is not this host's load; from 5 % on it explains a slow guest. */
    if (!at->snapshot->cpu.missing && reading_known(steal) && steal.value >= 5)
        phrase_add(p, " (%.0f %% stolen by the hypervisor)", steal.value);
}

static void advise_cpu(const struct check_at *at, struct phrase *p)
{
    struct reading wait = foreground_wait_seconds(at->snapshot);

    if (reading_known(wait) && wait.value >= FOREGROUND_WAIT_CRITICAL_SECONDS) {
        phrase_add(p, "; tasks wait ");
        phrase_wait(p, wait.value);
        phrase_add(p, " for it");
    }
    culprit_add_cpu(at->snapshot, p);
}

static size_t count_throttled(const struct health_input *in)
{
    return in->snapshot->throttle.missing ? 0 : in->snapshot->throttle.count;
}

static bool read_throttled(const struct check_at *at, struct check_sample *ret)
{
    const struct cpu_throttle *row = &at->snapshot->throttle.rows[at->index];

    ret->key = row->path;
    ret->value = row->throttled_percent;
    /* No period ended since the sample before: it did not run, so it was not throttled. */
    if (!reading_known(ret->value))
        ret->value = reading_of(0);
    return true;
}

static void say_throttled(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "cgroup ");
    phrase_path(p, at->snapshot->throttle.rows[at->index].path);
    phrase_add(p, " was throttled in %.0f %% of its CPU periods", at->value);
}

static void advise_throttled(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "; raise its %s or its work's need",
               at->snapshot->throttle.version == 1 ? "cpu.cfs_quota_us" : "cpu.max");
}

/* Levels that are not configurable: throttled 25 %, the Kubernetes mixin's CPUThrottlingHigh. */
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

const struct check_table cpu_checks = {rows, sizeof(rows) / sizeof(rows[0])};
