/* Run-queue delay of the host and of each priority class. */
#include "health/definition.h"
#include "health/foreground.h"
#include "model/histogram.h"

/* A burst of waits is in the figures of the last minute for that long: it is over by then. */
#define RAISE_NS (60 * NS_PER_SECOND + CHECK_RAISE_NS)

/* In `which`: all classes but low and idle, whose long waits are what they asked for. */
#define HOST (-1)

static const struct latency *waits_of(const struct check_at *at)
{
    const struct scheduler_snapshot *scheduler = &at->snapshot->scheduler;

    return at->definition->which == HOST ? &scheduler->recent_foreground
                                         : &scheduler->recent_classes[at->definition->which];
}

static bool read_delay(const struct check_at *at, struct check_sample *ret)
{
    const struct latency *waits = waits_of(at);
    bool starves = at->definition->which == PRIORITY_LOW || at->definition->which == PRIORITY_IDLE;

    if (at->definition->which != HOST)
        ret->key = priority_class_name((enum priority_class)at->definition->which);
    if (at->snapshot->scheduler.missing) {
        ret->value = reading_missing(at->snapshot->scheduler.missing);
        return true;
    }
    /* Nobody waited, so nobody waited long. */
    ret->value = waits->count ? latency_quantile_ns(waits, 0.99) : reading_of(0);
    ret->value.value /= NS_PER_SECOND;
    /* Low and idle tasks that starve are switched in seldom, so for them every wait counts. */
    ret->quiet = !starves && waits->count < FOREGROUND_WAITS_MIN;
    return true;
}

static void say_delay(const struct check_at *at, struct phrase *p)
{
    if (at->definition->which != HOST)
        phrase_add(p, "%s-priority ",
                   priority_class_name((enum priority_class)at->definition->which));
    phrase_add(p, "tasks wait ");
    phrase_wait(p, at->value);
    phrase_add(p, " for a CPU (p99 of the last minute)");
}

/* The last long wait on record says who suffered and who had the CPU. */
static void advise_delay(const struct check_at *at, struct phrase *p)
{
    const struct scheduler_snapshot *scheduler = &at->snapshot->scheduler;

    for (size_t i = 0; i < scheduler->slow_wait_count; i++) {
        const struct slow_wait *wait = &scheduler->slow_waits[i];

        if (at->definition->which != HOST && (int)wait->priority_class != at->definition->which)
            continue;
        phrase_add(p, "; last: %s (pid %u) waited ", wait->comm, wait->pid);
        phrase_wait(p, (double)wait->wait_ns / NS_PER_SECOND);
        phrase_add(p, " behind %s (pid %u)", wait->running_comm, wait->running_pid);
        return;
    }
}

#define DELAY(class_, component_, warning_, critical_)                                             \
    {                                                                                              \
        .name = "runq_delay", .component = (component_), .essential = true, .which = (class_),     \
        .warning = (warning_), .critical = (critical_), .in_seconds = true, .margin = 0.25,        \
        .raise_ns = RAISE_NS, .clear_ns = CHECK_CLEAR_NS, .read = read_delay, .say = say_delay,    \
        .advise = advise_delay,                                                                    \
    }

/* Levels, in seconds. Within one scheduling period, at most 24 ms on 8 CPUs and more
 * (sysctl_sched_latency, 6 ms, times 1 + log2 of the CPUs), the kernel wants to give every runnable
 * task its turn. Two periods for the 99th percentile (50 ms) are a queue that does not drain; at
 * ten (250 ms) people notice every request.
 *  - realtime tasks preempt at once; 10 ms is a deadline missed, and 50 ms is the gap that the
 *    kernel's own throttling tears (sched_rt_runtime_us: 950 ms of each second).
 *  - high (nice < 0) asked for less than the normal wait: half of it.
 *  - low (nice > 0) accepted waits; nice 19 has 1/68 of a normal task's weight, so 24 ms become
 *    about 1.6 s. Starved is beyond that.
 *  - idle takes what is left over.
 * Low and idle work starves harmfully only when it holds a lock that others need: never critical.
 */
static const struct check_definition rows[] = {
    DELAY(HOST, COMPONENT_SCHEDULER, FOREGROUND_WAIT_WARNING_SECONDS,
          FOREGROUND_WAIT_CRITICAL_SECONDS),
    DELAY(PRIORITY_REALTIME, COMPONENT_PRIORITY, 0.010, 0.050),
    DELAY(PRIORITY_HIGH, COMPONENT_PRIORITY, 0.025, 0.125),
    DELAY(PRIORITY_NORMAL, COMPONENT_PRIORITY, FOREGROUND_WAIT_WARNING_SECONDS,
          FOREGROUND_WAIT_CRITICAL_SECONDS),
    DELAY(PRIORITY_LOW, COMPONENT_PRIORITY, 2, NAN),
    DELAY(PRIORITY_IDLE, COMPONENT_PRIORITY, 10, NAN),
};

const struct check_table scheduler_checks = {rows, sizeof(rows) / sizeof(rows[0])};
