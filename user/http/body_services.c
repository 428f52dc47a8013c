/* GET /services. */
#include "base/cleanup.h"
#include "http/endpoint_rows.h"
#include "http/performance_rows.h"
#include "http/tables.h"

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

const struct field_table services_table =
    FIELD_TABLE("Services", services_fields, "What runs here, and what is called from here.");

int body_services(const struct body_env *env, struct body *ret)
{
    CLEANUP_FREE struct performance_row *rows = NULL;
    CLEANUP_FREE struct endpoint_row *checks = NULL;
    struct services_body body = {.realtime_ns = env->snapshot->realtime_ns};
    int r = performance_rows_gather(env, &rows, &body.count);

    if (r == 0)
        r = endpoint_rows_gather(env, &checks, &body.check_count);
    if (r < 0)
        return r;
    body.checks = checks;
    body.checks_missing = endpoint_rows_missing(env, body.check_count);
    body.rows = rows;
    body.missing = performance_rows_missing(env, body.count);
    return body_render(ret, 200, &services_table, &body, NULL);
}
