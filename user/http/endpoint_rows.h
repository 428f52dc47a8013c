/* Results of active checks, and the database connections that they count, as rows. */
#ifndef MOONWATCH_HTTP_ENDPOINT_ROWS_H
#define MOONWATCH_HTTP_ENDPOINT_ROWS_H

#include "endpoint/endpoint_checks.h"
#include "http/fields.h"

struct body_env;

extern const struct field_table endpoint_row_table;

struct connections_entry {
    const char *missing; /* why they are not known, else NULL */
    uint64_t open;
    struct reading limit, used_percent;
    struct reading active, idle, idle_in_transaction, other, blocked;
};

struct endpoint_row {
    struct endpoint_check_view view;
    const char *role, *type, *status;
    const char *failure; /* NULL: none */
    uint64_t since_realtime_ns, checked_realtime_ns, next_realtime_ns;
    struct reading latency_seconds, http_status, certificate_days_left;
    struct connections_entry connections;
};

/* `ret` is borrowed by its readings' reasons: it must not move. Times are left out. */
void endpoint_row_fill(struct endpoint_row *ret, const struct endpoint_checks *checks,
                       size_t index);
/* From malloc. -ENOMEM. */
int endpoint_rows_gather(const struct body_env *env, struct endpoint_row **ret, size_t *ret_count);
/* Why there are none; NULL when there are. */
const char *endpoint_rows_missing(const struct body_env *env, size_t count);

#endif
