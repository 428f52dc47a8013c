/* The bodies of the routes of breakers. */
#include "facts/tables.h"
#include "http/breakers.h"

#define TYPE struct breaker_body
static const struct field detail_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    {.kind = FIELD_MERGE, .offset = offsetof(TYPE, entry), .table = &breaker_table},
    LIST("history", history, history_count, &transition_table, struct transition_entry,
         .about = "the latest transitions, the newest first"),
};
const struct field_table breaker_detail_table =
    FIELD_TABLE("CircuitBreakerDetail", detail_fields, "One circuit breaker.");
#undef TYPE

#define TYPE struct breakers_body
static const struct field breakers_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    LIST("breakers", entries, count, &breaker_table, struct breaker_entry,
         .missing_at = MISSING_AT(TYPE, missing)),
};
const struct field_table breakers_table =
    FIELD_TABLE("CircuitBreakers", breakers_fields, "Circuit breakers.");
#undef TYPE

struct reset_request {
    const char *name;
};

#define TYPE struct reset_request
static const struct field reset_fields[] = {
    ROW("name", FIELD_STRING, name, .optional = true,
        .about = "the upstream's; without a body: all"),
};
const struct field_table breaker_reset_table =
    FIELD_TABLE("CircuitBreakerReset", reset_fields, "Which breaker to reset.");
#undef TYPE
