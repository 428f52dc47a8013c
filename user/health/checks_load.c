/* Memory and swap: what may be high for a while. */
#include "health/culprit.h"
#include "health/definition.h"
#include <stddef.h>

#define LEVEL_AT(member) offsetof(struct config, health_monitor.thresholds.member)
#define LOAD .raise_ns = CHECK_RAISE_NS, .clear_ns = CHECK_CLEAR_NS

/* Swap in use harms nobody as long as memory is free; see read_swap(). */
#define SWAP_PRESSURE_PERCENT 10

static void advise_rss(const struct check_at *at, struct phrase *p)
{
    culprit_add_memory(at->snapshot, p);
}

static bool read_memory(const struct check_at *at, struct check_sample *ret)
{
    const struct memory_snapshot *memory = &at->snapshot->memory;

    ret->value = memory->missing ? reading_missing(memory->missing) : memory->usage_percent;
    return true;
}

static void say_memory(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "memory %.1f %% used", at->value);
}

static bool read_swap(const struct check_at *at, struct check_sample *ret)
{
    const struct memory_snapshot *memory = &at->snapshot->memory;
    const struct pressure_snapshot *psi = &at->snapshot->pressure;
    struct reading some = psi->resource[PRESSURE_MEMORY].some.avg10_percent;
    bool short_of_memory =
        memory->usage_percent.value >= at->config->health_monitor.thresholds.memory_warning;
    bool under_pressure =
        !psi->missing && reading_known(some) && some.value >= SWAP_PRESSURE_PERCENT;

    if (memory->missing || !reading_known(memory->swap_usage_percent))
        return false;
    ret->value = memory->swap_usage_percent;
    ret->quiet = !short_of_memory && !under_pressure;
    return true;
}

static void say_swap(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "swap %.1f %% used while memory is short", at->value);
}

/* Levels that are not configurable: swap 80/95. Netdata's used_swap warns at 80; behind it comes
 * the OOM killer. */
static const struct check_definition rows[] = {
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
};

const struct check_table load_checks = {rows, sizeof(rows) / sizeof(rows[0])};
