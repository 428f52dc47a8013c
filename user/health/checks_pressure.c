/* Tasks that stand still for CPU, memory or I/O, by the kernel's pressure stall information. */
#include "health/culprit.h"
#include "health/definition.h"
#include "health/foreground.h"

#define LOAD .raise_ns = CHECK_RAISE_NS, .clear_ns = CHECK_CLEAR_NS

#define PRESSURE_FULL 0x100 /* in `which`: the line `full` */

#define BACKGROUND_MOST_PERCENT 50
#define STANDING_PERCENT 50

static const struct pressure_line *pressure_line(const struct check_at *at)
{
    const struct pressure *p =
        &at->snapshot->pressure.resource[at->definition->which & ~PRESSURE_FULL];

    return at->definition->which & PRESSURE_FULL ? &p->full : &p->some;
}

/* `some` is all of the time as soon as one task too many runs, low and idle ones included. It is
 * trouble when the others wait long. */
static bool waits_are_short(const struct snapshot *snapshot)
{
    struct reading wait = foreground_wait_seconds(snapshot);
    struct reading background = foreground_background_percent(snapshot);

    if (reading_known(wait))
        return wait.value < FOREGROUND_WAIT_WARNING_SECONDS;
    return reading_known(background) && background.value >= BACKGROUND_MOST_PERCENT;
}

/* A backup alone on an idle host stands still for I/O nearly all of the time: it is the only one to
 * do so. With two it is worth a look, and with three somebody else suffers. Kernel threads, which
 * have no memory of their own, wait for the disk by trade. */
static void judge_standstill(const struct snapshot *snapshot, struct check_sample *ret)
{
    const struct process_snapshot *process = &snapshot->process;
    unsigned standing = 0;

    if (process->top_missing)
        return;
    for (size_t i = 0; i < process->top_count[TOP_BLOCKED]; i++) {
        const struct process_row *row = &process->top[TOP_BLOCKED][i];

        if (row->rss_bytes > 0 && reading_known(row->blocked_percent) &&
            row->blocked_percent.value >= STANDING_PERCENT)
            standing++;
    }
    ret->quiet = standing < 2;
    if (standing < 3)
        ret->critical_raise_ns = UINT64_MAX;
}

static bool read_pressure(const struct check_at *at, struct check_sample *ret)
{
    const char *missing = at->snapshot->pressure.missing;

    ret->key =
        pressure_resource_name((enum pressure_resource)(at->definition->which & ~PRESSURE_FULL));
    ret->value = missing ? reading_missing(missing) : pressure_line(at)->avg10_percent;
    if (at->definition->which == PRESSURE_CPU)
        ret->quiet = waits_are_short(at->snapshot);
    else if (at->definition->which == (PRESSURE_IO | PRESSURE_FULL))
        judge_standstill(at->snapshot, ret);
    return true;
}

static void say_pressure(const struct check_at *at, struct phrase *p)
{
    phrase_add(
        p, "%s tasks stood still for %s %.1f %% of the last 10 s",
        at->definition->which & PRESSURE_FULL ? "all" : "some",
        pressure_resource_name((enum pressure_resource)(at->definition->which & ~PRESSURE_FULL)),
        at->value);
}

static void advise_cpu(const struct check_at *at, struct phrase *p)
{
    culprit_add_cpu(at->snapshot, p);
}

static void advise_rss(const struct check_at *at, struct phrase *p)
{
    culprit_add_memory(at->snapshot, p);
}

static void advise_blocked(const struct check_at *at, struct phrase *p)
{
    culprit_add_blocked(at->snapshot, p);
}

/* Levels that are not configurable:
 *  - memory: systemd-oomd kills at 60 % (DefaultMemoryPressureLimit) of `full` after 30 s; a page
 *    has to come well before that. `some` counts one stalled task and so takes more.
 *  - cpu and I/O: `some` is high whenever anything waits, a nightly backup too; so only a warning,
 *    at a level where it is most of the time. All tasks waiting for I/O (`full`) is time in which
 *    the host did nothing; it is an outage when it goes on for several of them. */
static const struct check_definition rows[] = {
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
     .critical_raise_ns = 5 * 60 * NS_PER_SECOND,
     .read = read_pressure,
     .say = say_pressure,
     .advise = advise_blocked},
};

const struct check_table pressure_checks = {rows, sizeof(rows) / sizeof(rows[0])};
