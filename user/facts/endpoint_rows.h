/* Results of active checks, and the database connections that they count, as rows. */
#ifndef MOONWATCH_FACTS_ENDPOINT_ROWS_H
#define MOONWATCH_FACTS_ENDPOINT_ROWS_H

#include "endpoint/endpoint_checks.h"
#include "facts/facts.h"
#include "facts/field.h"

extern const struct field_table endpoint_row_table;

struct connections_entry {
    const char *missing; /* why they are not known, else NULL */
    uint64_t open;
    struct reading limit, used_percent;
    struct reading active, idle, idle_in_transaction, other, blocked;
};

struct endpoint_row {
    struct endpoint_check_view view;    /* its reason is the one below */
    char reason[ENDPOINT_REASON_BYTES]; /* of this result: the check's own is gone with the next */
    const char *role, *type, *status;
    const char *failure; /* NULL: none */
    struct reading up;
    uint64_t since_realtime_ns, checked_realtime_ns, next_realtime_ns;
    struct reading latency_seconds, http_status, certificate_days_left;
    struct connections_entry connections;
};

/* Into facts->endpoints, where their readings' reasons point to. */
void endpoint_rows_take(struct facts *facts);
/* Why there are none; NULL when there are. */
const char *endpoint_rows_missing(const struct facts *facts);

#endif
