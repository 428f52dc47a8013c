/* Services and upstreams as rows of figures. */
#ifndef MOONWATCH_FACTS_PERFORMANCE_ROWS_H
#define MOONWATCH_FACTS_PERFORMANCE_ROWS_H

#include "facts/call_entry.h"
#include "facts/facts.h"
#include "service/service.h"

extern const struct field_table performance_row_table;

struct performance_row {
    const char *name, *role, *kind;
    const char *missing; /* why there are no figures, else NULL */
    struct performance_view figures;
    struct call_entry traffic;
    const char *not_degraded; /* why it has no reason, else NULL */
    uint64_t since_realtime_ns;
};

void performance_row_of_service(const struct facts *facts, const struct service_view *view,
                                struct performance_row *ret);
void performance_row_of_upstream(const struct facts *facts, const struct upstream_view *view,
                                 struct performance_row *ret);
/* Why there are none; NULL when there are. */
const char *performance_rows_missing(const struct facts *facts);

#endif
