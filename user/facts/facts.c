#include "facts/facts.h"
#include "base/array.h"
#include "facts/breaker_entry.h"
#include "facts/endpoint_rows.h"
#include "facts/performance_rows.h"
#include <stdlib.h>

uint64_t facts_realtime_ns(const struct facts *facts, uint64_t monotonic_ns)
{
    if (!monotonic_ns)
        return 0;
    return facts->taken_realtime_ns - (facts->taken_monotonic_ns - monotonic_ns);
}

/* Services, then upstreams; both rows of an upstream are of one look at it. */
static void take_services(struct facts *facts)
{
    const struct services *s = facts->services;
    size_t services = s ? services_count(s) : 0, upstreams = s ? services_upstream_count(s) : 0;
    struct service_view service;
    struct upstream_view upstream;

    facts->performance_count = facts->breaker_count = 0;
    if (!ARRAY_GROW(facts->performance, facts->performance_capacity, services + upstreams) ||
        !ARRAY_GROW(facts->breakers, facts->breaker_capacity, upstreams))
        return;
    for (size_t i = 0; i < services; i++) {
        services_service(s, i, &service);
        performance_row_of_service(facts, &service, &facts->performance[i]);
    }
    for (size_t i = 0; i < upstreams; i++) {
        services_upstream(s, i, facts->taken_monotonic_ns, &upstream);
        performance_row_of_upstream(facts, &upstream, &facts->performance[services + i]);
        breaker_entry_fill(facts, &upstream, &facts->breakers[i]);
    }
    facts->performance_count = services + upstreams;
    facts->breaker_count = upstreams;
}

void facts_take(struct facts *facts)
{
    facts->taken_monotonic_ns = clock_monotonic_ns(facts->clock);
    facts->taken_realtime_ns = clock_realtime_ns(facts->clock);
    take_services(facts);
    endpoint_rows_take(facts);
}

void facts_release(struct facts *facts)
{
    free(facts->performance);
    free(facts->breakers);
    free(facts->endpoints);
    facts->performance = NULL;
    facts->breakers = NULL;
    facts->endpoints = NULL;
    facts->performance_count = facts->performance_capacity = 0;
    facts->breaker_count = facts->breaker_capacity = 0;
    facts->endpoint_count = facts->endpoint_capacity = 0;
}
