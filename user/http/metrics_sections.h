/* The sections of the page, one function each; see the table in metrics.c. */
#ifndef MOONWATCH_HTTP_METRICS_SECTIONS_H
#define MOONWATCH_HTTP_METRICS_SECTIONS_H

#include "http/cgroup_rows.h"
#include "http/exposition.h"
#include "http/metrics.h"
#include "http/self_usage.h"

struct metrics {
    struct cgroup_rows cgroups;
    struct self_usage_files self;
    double last_seconds; /* what the last page took; NaN before */
};

typedef void metrics_section_fn(struct exposition *e, struct metrics *m,
                                const struct metrics_sources *s);

metrics_section_fn metrics_build, metrics_health, metrics_cpu, metrics_memory, metrics_filesystems,
    metrics_block_devices, metrics_network, metrics_tcp, metrics_pressure, metrics_processes,
    metrics_throttle, metrics_scheduler, metrics_cgroups, metrics_services, metrics_breakers,
    metrics_checks, metrics_alerts, metrics_notify, metrics_events, metrics_missing,
    metrics_programs, metrics_records, metrics_agent;

/* Rows shown of what a host can have any number of; how many were left out is a metric. A host
 * with more is one where the label would cost more than it tells. */
#define FILESYSTEMS_SHOWN 64
#define BLOCK_DEVICES_SHOWN 32
#define INTERFACES_SHOWN 64
#define THROTTLED_SHOWN 64
#define PORTS_SHOWN 256
#define CHECKS_SHOWN 256

static inline size_t metrics_shown(size_t count, size_t limit)
{
    return count < limit ? count : limit;
}

#endif
