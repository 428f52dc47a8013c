/* The sections of the page, one function each; see the table in metrics.c. */
#ifndef MOONWATCH_FACTS_METRICS_SECTIONS_H
#define MOONWATCH_FACTS_METRICS_SECTIONS_H

#include "facts/cgroup_rows.h"
#include "facts/exposition.h"
#include "facts/metric_lists.h"
#include "facts/metrics.h"
#include "facts/self_usage.h"
#include "facts/told_rows.h"
#include "model/network.h"

struct metrics {
    struct metric_lists lists;
    struct cgroup_rows cgroups;
    struct told_rows ports[TCP_ROLE_COUNT];
    struct self_usage_files self;
    double last_seconds; /* what the last page took; NaN before */
};

struct metrics_page {
    struct exposition *e;
    struct metrics *metrics;
    const struct facts *facts;
};

typedef void metrics_section_fn(struct metrics_page *page);

metrics_section_fn metrics_build, metrics_health, metrics_cpu, metrics_block_devices, metrics_tcp,
    metrics_scheduler, metrics_cgroups, metrics_services, metrics_alerts, metrics_notify,
    metrics_events, metrics_missing, metrics_programs, metrics_records, metrics_agent,
    metrics_severities, metrics_omitted;

#endif
