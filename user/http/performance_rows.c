#include "http/performance_rows.h"
#include "http/breakers.h"
#include "http/tables.h"
#include <errno.h>
#include <stdlib.h>

static const char *const roles[] = {"service", "upstream", NULL};

#define SECONDS(name, member) ROW(name, FIELD_READING, member, .decimals = 6)

#define TYPE struct performance_usual
static const struct field usual_fields[] = {
    ROW("calls", FIELD_DOUBLE, calls, .decimals = 0, .about = "learnt; older ones weigh less"),
    ROW("failed_percent", FIELD_READING, failed_percent, .decimals = 3),
    SECONDS("mean_seconds", mean_seconds),
    SECONDS("p50_seconds", p50_seconds),
    SECONDS("p95_seconds", p95_seconds),
};
static const struct field_table usual_table = FIELD_TABLE(
    "UsualPerformance", usual_fields, "What is usual.", .missing_at = MISSING_AT(TYPE, missing));
#undef TYPE

#define TYPE struct performance_row
static const struct field row_fields[] = {
    ROW("name", FIELD_STRING, name, .identity = true),
    ROW("role", FIELD_STRING, role, .choices = roles, .identity = true,
        .about = "service: runs here; upstream: is called from here"),
    ROW("kind", FIELD_STRING, kind, .identity = true),
    ROW("window_seconds", FIELD_DOUBLE, figures.window_seconds, .decimals = 1,
        .about = "what the figures are taken over"),
    ROW("calls", FIELD_U64, figures.calls, .about = "in the window"),
    ROW("failed", FIELD_U64, figures.failed, .about = "in the window"),
    ROW("calls_per_second", FIELD_READING, figures.calls_per_second, .decimals = 3),
    ROW("failed_percent", FIELD_READING, figures.failed_percent, .decimals = 3),
    SECONDS("mean_seconds", figures.mean_seconds),
    SECONDS("p50_seconds", figures.p50_seconds),
    SECONDS("p90_seconds", figures.p90_seconds),
    SECONDS("p95_seconds", figures.p95_seconds),
    SECONDS("p99_seconds", figures.p99_seconds),
    SECONDS("max_seconds", figures.max_seconds),
    ROW("usual", FIELD_OBJECT, figures.usual, .table = &usual_table),
    ROW("degraded", FIELD_BOOL, figures.degraded),
    ROW("degraded_since", FIELD_TIME, since_realtime_ns, .unknown = "it is not degraded"),
    ROW("worse_percent", FIELD_DOUBLE, figures.worse_percent, .decimals = 1,
        .unknown = "it cannot be judged", .about = "than usual, of what got worse most"),
    ROW("degradation", FIELD_CHARS, figures.reason, .missing_at = MISSING_AT(TYPE, not_degraded),
        .about = "what is worse, in words"),
    ROW("traffic", FIELD_OBJECT, traffic, .table = &call_entry_table, .identity = true),
};
const struct field_table performance_row_table =
    FIELD_TABLE("PerformanceRow", row_fields, "The performance of a service or an upstream.",
                .missing_at = MISSING_AT(TYPE, missing));
#undef TYPE

static const char *kind_of_service(enum service_kind kind)
{
    static const char *const names[] = {"http", "database", "cache", "worker", "job"};

    return names[kind];
}

static const char *kind_of_upstream(enum upstream_kind kind)
{
    static const char *const names[] = {"http", "database", "cache", "tcp"};

    return names[kind];
}

static void finish(const struct body_env *env, struct performance_row *row)
{
    row->since_realtime_ns = realtime_of(env, row->figures.degraded_since_ns);
    if (!row->figures.degraded)
        row->not_degraded = row->figures.unjudged ? row->figures.unjudged : "it performs as usual";
}

int performance_rows_gather(const struct body_env *env, struct performance_row **ret,
                            size_t *ret_count)
{
    const struct services *s = env->sources->services;
    size_t services = s ? services_count(s) : 0, upstreams = s ? services_upstream_count(s) : 0;
    struct performance_row *rows = calloc(services + upstreams + 1, sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < services; i++) {
        struct service_view view;

        services_service(s, i, &view);
        rows[i] = (struct performance_row){.name = view.config->name,
                                           .role = roles[0],
                                           .kind = kind_of_service(view.config->kind),
                                           .missing = view.missing,
                                           .figures = view.performance};
        call_entry_fill(&rows[i].traffic, view.calls, &view.transport, true, view.missing);
        finish(env, &rows[i]);
    }
    for (size_t i = 0; i < upstreams; i++) {
        struct upstream_view view;

        services_upstream(s, i, clock_monotonic_ns(env->sources->clock), &view);
        rows[services + i] = (struct performance_row){.name = view.config->name,
                                                      .role = roles[1],
                                                      .kind = kind_of_upstream(view.config->kind),
                                                      .missing = view.missing,
                                                      .figures = view.performance};
        call_entry_fill(&rows[services + i].traffic, view.calls, &view.transport, false,
                        view.missing);
        finish(env, &rows[services + i]);
    }
    *ret = rows;
    *ret_count = services + upstreams;
    return 0;
}

const char *performance_rows_missing(const struct body_env *env, size_t count)
{
    if (!env->sources->services)
        return env->sources->services_missing ? env->sources->services_missing
                                              : "this agent does not measure services";
    return count ? NULL : "no services or upstreams are configured";
}
