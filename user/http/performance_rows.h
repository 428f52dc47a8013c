/* Services and upstreams as rows of figures. */
#ifndef MOONWATCH_HTTP_PERFORMANCE_ROWS_H
#define MOONWATCH_HTTP_PERFORMANCE_ROWS_H

#include "http/body.h"
#include "http/call_entry.h"
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

/* Services, then upstreams; from malloc. -ENOMEM. */
int performance_rows_gather(const struct body_env *env, struct performance_row **ret,
                            size_t *ret_count);
/* Why there are none; NULL when there are. */
const char *performance_rows_missing(const struct body_env *env, size_t count);

#endif
