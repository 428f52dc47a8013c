#include "facts/facts.h"
#include "facts/breaker_entry.h"
#include "facts/endpoint_rows.h"
#include "facts/performance_rows.h"
#include <stdlib.h>

uint64_t facts_realtime_ns(const struct facts *facts, uint64_t monotonic_ns)
{
    if (!monotonic_ns)
        return 0;
    return clock_realtime_ns(facts->clock) - (clock_monotonic_ns(facts->clock) - monotonic_ns);
}

void facts_take(struct facts *facts)
{
    performance_rows_take(facts);
    breaker_entries_take(facts);
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
