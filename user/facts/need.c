/* What a configuration lacks for a metric, an event or a finding to be there at all. */
#include "facts/need.h"
#include "probe/probe.h"

#define NO_PROBE UINT8_MAX

static bool has_slow_waits(const struct config *config)
{
    return config->performance_tracker.slow_wait_ms > 0;
}

static bool has_stalls(const struct config *config)
{
    return config->performance_tracker.stall_ms > 0;
}

static bool has_upstreams(const struct config *config)
{
    return config->upstreams.count > 0;
}

static bool has_breakers(const struct config *config)
{
    return config->upstreams.count > 0 && config->circuit_breaker.enabled;
}

static bool has_callers(const struct config *config)
{
    return config->upstreams.count > 0 || config->services.count > 0;
}

static bool has_checks(const struct config *config)
{
    for (size_t i = 0; i < config->services.count; i++)
        if (config->services.items[i].check.given)
            return true;
    for (size_t i = 0; i < config->upstreams.count; i++)
        if (config->upstreams.items[i].check.given)
            return true;
    return false;
}

static bool has_budget(const struct config *config)
{
    return config->overhead.budget_percent > 0;
}

static bool is_judged(const struct config *config)
{
    return config->health_monitor.enabled;
}

#define OF_CONCERN(id, ...) [NEED_##id] = {CONCERN_##id, NULL, NULL},
static const struct {
    uint8_t probe;                            /* enum probe_concern, or NO_PROBE */
    bool (*has)(const struct config *config); /* NULL: with any, or with none if it is missing */
    const char *missing;
} needs[NEED_COUNT] = {
    [NEED_NOTHING] = {NO_PROBE, NULL, NULL},
    [NEED_SLOW_WAITS] = {CONCERN_RUNQ, has_slow_waits,
                         "performance_tracker.slow_wait_ms is 0 (allowed: more)"},
    [NEED_STALLS] = {CONCERN_RECLAIM, has_stalls,
                     "performance_tracker.stall_ms is 0 (allowed: more)"},
    [NEED_CALLS] = {CONCERN_REQUEST, has_callers, "there are no services and no upstreams"},
    [NEED_UPSTREAMS] = {NO_PROBE, has_upstreams, "there are no upstreams"},
    [NEED_BREAKERS] = {NO_PROBE, has_breakers,
                       "there are no upstreams, or circuit_breaker.enabled is false"},
    [NEED_CHECKS] = {NO_PROBE, has_checks, "no service and no upstream has a check"},
    [NEED_BUDGET] = {NO_PROBE, has_budget, "overhead.budget_percent is 0 (allowed: more)"},
    [NEED_HEALTH] = {NO_PROBE, is_judged, "health_monitor.enabled is false (allowed: true)"},
    [NEED_PAGE] = {NO_PROBE, NULL, "it tells of the page itself, which rules do not read"},
    CONCERN_ROWS(OF_CONCERN)};
#undef OF_CONCERN

#define OFF(id, name, ...) "overhead.probes." #name " is off (allowed: auto)",
static const char *const probe_off[] = {CONCERN_ROWS(OFF)};
#undef OFF

const char *need_missing(const struct config *config, enum metric_need need)
{
    struct probe_config probes;

    if (needs[need].missing && !(needs[need].has && needs[need].has(config)))
        return needs[need].missing;
    if (needs[need].probe == NO_PROBE)
        return NULL;
    probe_config_init(&probes, config);
    return probes.mode[needs[need].probe] == PROBE_OFF ? probe_off[needs[need].probe] : NULL;
}
