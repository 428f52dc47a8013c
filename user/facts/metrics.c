#include "facts/metrics.h"
#include "facts/metrics_sections.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* In the order of the page: first what the configuration bounds, then the lists that share the rest
 * of the series, in the order of enum metric_list, then what these left out. */
static metrics_section_fn *const sections[] = {
    metrics_build,    metrics_health,        metrics_cpu,        metrics_memory,
    metrics_pressure, metrics_processes,     metrics_scheduler,  metrics_services,
    metrics_breakers, metrics_checks,        metrics_alerts,     metrics_notify,
    metrics_events,   metrics_missing,       metrics_programs,   metrics_records,
    metrics_agent,    metrics_severities,    metrics_exhaustion, metrics_filesystems,
    metrics_network,  metrics_block_devices, metrics_throttle,   metrics_cgroups,
    metrics_tcp,      metrics_omitted,
};

int metrics_create(struct metrics **ret, const struct host *host)
{
    struct metrics *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    self_usage_open(&m->self, host);
    m->lists.series_max = METRIC_SERIES_DEFAULT;
    for (int role = 0; role < TCP_ROLE_COUNT; role++)
        m->ports[role].counter_count = sizeof(struct tcp_stats) / sizeof(uint64_t);
    m->last_seconds = NAN;
    *ret = m;
    return 0;
}

void metrics_destroy(struct metrics *metrics)
{
    if (!metrics)
        return;
    self_usage_close(&metrics->self);
    for (int role = 0; role < TCP_ROLE_COUNT; role++)
        told_rows_free(&metrics->ports[role]);
    free(metrics);
}

void metrics_walk(struct metrics *metrics, const struct exposition_sink *sink,
                  const struct facts *facts)
{
    struct exposition e;

    exposition_init_sink(&e, sink);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        sections[i](&e, metrics, facts);
}

int metrics_render(struct metrics *metrics, struct text *out, const struct facts *facts,
                   size_t series_max, bool openmetrics)
{
    uint64_t began_ns = clock_monotonic_ns(facts->clock);
    struct exposition e;

    exposition_init(&e, out, openmetrics);
    metrics->lists.series_max = series_max ? series_max : METRIC_SERIES_DEFAULT;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        sections[i](&e, metrics, facts);
    exposition_end(&e);
    metrics->last_seconds = (double)(clock_monotonic_ns(facts->clock) - began_ns) / NS_PER_SECOND;
    return out->failed ? -ENOMEM : 0;
}
