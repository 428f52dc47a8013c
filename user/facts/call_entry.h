/* What the kernel side counted of the calls of a service or an upstream, as bodies and metrics show
 * it. */
#ifndef MOONWATCH_FACTS_CALL_ENTRY_H
#define MOONWATCH_FACTS_CALL_ENTRY_H

#include "facts/field.h"
#include "service/service.h"

extern const struct field_table call_entry_table;

struct call_entry {
    const char *missing;        /* why nothing is known, else NULL */
    const char *flight_missing; /* why it is not known what is in flight, else NULL */
    uint64_t in_flight;
    struct reading oldest_in_flight_seconds;
    uint64_t connections_open;
    const char *accepts; /* why there are no failed connects, else NULL */
    struct call_stats stats;
    struct transport_view transport;
};

/* `calls` NULL: they are not followed, for the reason in `missing` (NULL: not yet). A service
 * connects to nobody. */
void call_entry_fill(struct call_entry *ret, const struct call_figures *calls,
                     const struct transport_view *transport, bool is_service, const char *missing);

#endif
