#include "health/foreground.h"
#include "base/clock.h"
#include "model/histogram.h"

/* Without the probe: some tasks waited most of a minute, and on average nine others stood before
 * each, or more than two scheduling periods of 24 ms at 3 ms a turn with what wakes up between. */
#define PRESSURE_PERCENT 80
#define RUNNABLE_PER_CPU 10

/* The system time of niced tasks is not in `nice`: they get their part of it. SCHED_IDLE without a
 * nice value cannot be told apart here. */
static struct reading estimated_background(const struct cpu_snapshot *cpu)
{
    struct reading user = cpu->total.percent[CPU_USER], nice = cpu->total.percent[CPU_NICE],
                   system = cpu->total.percent[CPU_SYSTEM];

    if (cpu->missing)
        return reading_missing(cpu->missing);
    if (!reading_known(user) || !reading_known(nice) || !reading_known(system))
        return reading_missing(nice.missing ? nice.missing : "not in /proc/stat");
    if (nice.value <= 0)
        return reading_of(0);
    return reading_of(nice.value + system.value * nice.value / (user.value + nice.value));
}

struct reading foreground_background_percent(const struct snapshot *snapshot)
{
    const struct scheduler_snapshot *scheduler = &snapshot->scheduler;

    if (scheduler->missing || !reading_known(scheduler->background_cpu_percent))
        return estimated_background(&snapshot->cpu);
    return scheduler->background_cpu_percent;
}

struct reading foreground_wait_seconds(const struct snapshot *snapshot)
{
    const struct scheduler_snapshot *scheduler = &snapshot->scheduler;
    struct reading wait;

    if (scheduler->missing)
        return reading_missing(scheduler->missing);
    if (scheduler->recent_foreground.count < FOREGROUND_WAITS_MIN)
        return reading_of(0);
    wait = latency_quantile_ns(&scheduler->recent_foreground, 0.99);
    wait.value /= NS_PER_SECOND;
    return wait;
}

bool foreground_kept_waiting(const struct snapshot *snapshot)
{
    struct reading wait = foreground_wait_seconds(snapshot);
    struct reading some = snapshot->pressure.resource[PRESSURE_CPU].some.avg60_percent;
    const struct cpu_snapshot *cpu = &snapshot->cpu;

    if (reading_known(wait))
        return wait.value >= FOREGROUND_WAIT_CRITICAL_SECONDS;
    return !snapshot->pressure.missing && reading_known(some) && some.value >= PRESSURE_PERCENT &&
           !cpu->missing && cpu->core_count > 0 && reading_known(cpu->runnable) &&
           cpu->runnable.value >= RUNNABLE_PER_CPU * (double)cpu->core_count;
}
