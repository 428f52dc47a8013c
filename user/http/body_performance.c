/* GET /health/performance: services, upstreams and their breakers. */
#include "base/cleanup.h"
#include "http/breakers.h"
#include "http/endpoint_rows.h"
#include "http/performance_rows.h"
#include "http/tables.h"

struct performance_body {
    struct component_view component;
    uint64_t realtime_ns;
    size_t row_count, breaker_count, check_count;
    const struct performance_row *rows;
    const struct breaker_entry *breakers;
    const struct endpoint_row *checks;
    const char *rows_missing, *breakers_missing, *checks_missing;
};

#define TYPE struct performance_body
static const struct field performance_fields[] = {
    ROW("status", FIELD_STATUS, component.status),
    ROW("reasons", FIELD_REASONS, component.reasons),
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    LIST("metrics", rows, row_count, &performance_row_table, struct performance_row,
         .missing_at = MISSING_AT(TYPE, rows_missing), .about = "per service and upstream"),
    LIST("circuit_breakers", breakers, breaker_count, &breaker_table, struct breaker_entry,
         .missing_at = MISSING_AT(TYPE, breakers_missing)),
    LIST("checks", checks, check_count, &endpoint_row_table, struct endpoint_row,
         .missing_at = MISSING_AT(TYPE, checks_missing), .about = "results of active checks"),
};
#undef TYPE

const struct field_table performance_table =
    FIELD_TABLE("Performance", performance_fields, "What services deliver.");

int body_performance(const struct body_env *env, struct body *ret)
{
    CLEANUP_FREE struct performance_row *rows = NULL;
    CLEANUP_FREE struct breaker_entry *breakers = NULL;
    CLEANUP_FREE struct endpoint_row *checks = NULL;
    struct performance_body body = {.realtime_ns = env->snapshot->realtime_ns};
    int r = performance_rows_gather(env, &rows, &body.row_count);

    if (r == 0)
        r = breakers_gather(env, &breakers, &body.breaker_count);
    if (r == 0)
        r = endpoint_rows_gather(env, &checks, &body.check_count);
    if (r < 0)
        return r;
    body.rows = rows;
    body.breakers = breakers;
    body.checks = checks;
    body.checks_missing = endpoint_rows_missing(env, body.check_count);
    body.rows_missing = performance_rows_missing(env, body.row_count);
    body.breakers_missing = breakers_missing(env, body.breaker_count);
    health_component(env->sources->health, COMPONENT_PERFORMANCE, &body.component);
    return body_render(ret, 200, &performance_table, &body, env->snapshot);
}
