/* GET /health/performance: services, upstreams and their breakers. */
#include "facts/breaker_entry.h"
#include "facts/endpoint_rows.h"
#include "facts/performance_rows.h"
#include "facts/tables.h"
#include "http/routes.h"

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

static const struct field_table performance_table =
    FIELD_TABLE("Performance", performance_fields, "What services deliver.");

static int body_performance(const struct body_env *env, struct body *ret)
{
    const struct facts *facts = env->facts;
    struct performance_body body = {
        .realtime_ns = facts->snapshot->realtime_ns,
        .rows = facts->performance,
        .row_count = facts->performance_count,
        .rows_missing = performance_rows_missing(facts),
        .breakers = facts->breakers,
        .breaker_count = facts->breaker_count,
        .breakers_missing = breaker_entries_missing(facts),
        .checks = facts->endpoints,
        .check_count = facts->endpoint_count,
        .checks_missing = endpoint_rows_missing(facts),
    };

    health_component(facts->health, COMPONENT_PERFORMANCE, &body.component);
    return body_render(ret, 200, &performance_table, &body, facts->snapshot);
}

const struct route route_performance = {
    .method = "GET",
    .path = "/health/performance",
    .role = ROLE_VIEWER,
    .body = body_performance,
    .needs_sample = true,
    .type = ROUTE_JSON,
    .table = &performance_table,
    .id = "healthPerformance",
    .summary = "What services deliver, and their circuit breakers",
    .answer = "The figures per service",
};
