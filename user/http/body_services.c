/* GET /services. */
#include "facts/endpoint_rows.h"
#include "facts/performance_rows.h"
#include "facts/tables.h"
#include "http/routes.h"

struct services_body {
    uint64_t realtime_ns;
    size_t count;
    const struct performance_row *rows;
    const char *missing;
    size_t check_count;
    const struct endpoint_row *checks;
    const char *checks_missing;
};

#define TYPE struct services_body
static const struct field services_fields[] = {
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    LIST("services", rows, count, &performance_row_table, struct performance_row,
         .missing_at = MISSING_AT(TYPE, missing), .about = "services, then upstreams"),
    LIST("checks", checks, check_count, &endpoint_row_table, struct endpoint_row,
         .missing_at = MISSING_AT(TYPE, checks_missing), .about = "results of active checks"),
};
#undef TYPE

static const struct field_table services_table =
    FIELD_TABLE("Services", services_fields, "What runs here, and what is called from here.");

static int body_services(const struct body_env *env, struct body *ret)
{
    const struct facts *facts = env->facts;
    const struct services_body body = {
        .realtime_ns = facts->snapshot->realtime_ns,
        .count = facts->performance_count,
        .rows = facts->performance,
        .missing = performance_rows_missing(facts),
        .check_count = facts->endpoint_count,
        .checks = facts->endpoints,
        .checks_missing = endpoint_rows_missing(facts),
    };

    return body_render(ret, 200, &services_table, &body, NULL);
}

const struct route route_services = {
    .method = "GET",
    .path = "/services",
    .role = ROLE_VIEWER,
    .body = body_services,
    .needs_sample = true,
    .type = ROUTE_JSON,
    .table = &services_table,
    .id = "services",
    .summary = "Services and upstreams: rate, errors, latency, what is usual",
    .answer = "What runs here, and what is called from here",
};
