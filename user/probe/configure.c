#include "config/config.h"
#include "probe/probe.h"
#include <unistd.h>

static uint64_t ns_of_ms(double ms)
{
    return (uint64_t)(ms * (double)NS_PER_MS);
}

/* Events grow with the CPUs they come from, and so does what a probe may cost. */
static double percent_of_a_core(double percent_of_host)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return percent_of_host * (double)(cpus > 0 ? cpus : 1);
}

_Static_assert((int)PROBE_OFF == CONFIG_PROBE_OFF,
               "modes stand in the order of the configuration's");

void probe_config_init(struct probe_config *ret, const struct config *config)
{
#define MODE(id, name, ...) [CONCERN_##id] = (enum probe_mode)config->overhead.probes.name,
    *ret = (struct probe_config){
        .dry_run = config->dry_run,
        .pin_directory = config->server.bpffs_directory,
        .ring_bytes = config->overhead.ring_bytes,
        .cgroups_max = config->overhead.cgroups_max,
        .slow_wait_ns = ns_of_ms(config->performance_tracker.slow_wait_ms),
        .stall_ns = ns_of_ms(config->performance_tracker.stall_ms),
        .budget_percent = percent_of_a_core(config->overhead.budget_percent),
        .budget_retry_ns = clock_ns_of_seconds(config->overhead.retry_seconds),
        .stats_every_ns = clock_ns_of_seconds(config->overhead.stats_interval_seconds),
        .stats_for_ns = ns_of_ms(config->overhead.stats_duration_ms),
        .mode = {CONCERN_ROWS(MODE)},
    };
#undef MODE
}
