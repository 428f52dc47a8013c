#include "facts/performance_rows.h"
#include "config/choices.h"
#include "facts/tables.h"
#include <errno.h>
#include <stdlib.h>

static const char *const roles[] = {"service", "upstream", NULL};

#define SECONDS(name, member, ...) ROW(name, FIELD_READING, member, .decimals = 6, __VA_ARGS__)

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

static void label_performance(const void *row, struct row_labels *ret)
{
    const struct performance_row *r = row;

    row_label(ret, "role", r->role);
    row_label(ret, "name", r->name);
}

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
    FIGURE(FIELD_U64, figures.calls_total,
           COUNTER("moonwatch_service_calls", "Calls, as far back as the kernel side counted.")),
    FIGURE(FIELD_U64, figures.failed_total,
           COUNTER("moonwatch_service_calls_failed", "Calls that failed, likewise.")),
    ROW("calls_per_second", FIELD_READING, figures.calls_per_second, .decimals = 3,
        GAUGE("moonwatch_service_calls_per_second", "Calls per second over the window."), WATCHED),
    ROW("failed_percent", FIELD_READING, figures.failed_percent, .decimals = 3,
        GAUGE("moonwatch_service_failed_ratio", "Failed calls of all, over the window."), WATCHED),
    SECONDS("mean_seconds", figures.mean_seconds),
    SECONDS("p50_seconds", figures.p50_seconds,
            GAUGE("moonwatch_service_latency_p50_seconds", "Median latency over the window."),
            WATCHED),
    SECONDS("p90_seconds", figures.p90_seconds),
    SECONDS("p95_seconds", figures.p95_seconds,
            GAUGE("moonwatch_service_latency_p95_seconds", "Its 95th percentile.")),
    SECONDS("p99_seconds", figures.p99_seconds,
            GAUGE("moonwatch_service_latency_p99_seconds", "Its 99th percentile."), WATCHED),
    SECONDS("max_seconds", figures.max_seconds,
            GAUGE("moonwatch_service_latency_max_seconds", "The longest, likewise.")),
    ROW("usual", FIELD_OBJECT, figures.usual, .table = &usual_table),
    ROW("degraded", FIELD_BOOL, figures.degraded,
        GAUGE("moonwatch_service_degraded", "1 when it performs significantly worse than usual.")),
    ROW("degraded_since", FIELD_TIME, since_realtime_ns, .unknown = "it is not degraded"),
    ROW("worse_percent", FIELD_DOUBLE, figures.worse_percent, .decimals = 1,
        .unknown = "it cannot be judged", .about = "than usual, of what got worse most"),
    ROW("degradation", FIELD_CHARS, figures.reason, .missing_at = MISSING_AT(TYPE, not_degraded),
        .about = "what is worse, in words"),
    ROW("traffic", FIELD_OBJECT, traffic, .table = &call_entry_table, .identity = true),
};
FIELD_METRICS(row_fields, "role name ", NEED_CALLS);
const struct field_table performance_row_table =
    FIELD_TABLE("PerformanceRow", row_fields, "The performance of a service or an upstream.",
                .missing_at = MISSING_AT(TYPE, missing), .label = label_performance);
#undef TYPE

static void finish(const struct facts *facts, struct performance_row *row)
{
    row->since_realtime_ns = facts_realtime_ns(facts, row->figures.degraded_since_ns);
    if (!row->figures.degraded)
        row->not_degraded = row->figures.unjudged ? row->figures.unjudged : "it performs as usual";
}

void performance_row_of_service(const struct facts *facts, const struct service_view *view,
                                struct performance_row *ret)
{
    *ret = (struct performance_row){.name = view->config->name,
                                    .role = roles[0],
                                    .kind = service_kind_names[view->config->kind],
                                    .missing = view->missing,
                                    .figures = view->performance};
    call_entry_fill(&ret->traffic, view->calls, &view->transport, true, view->missing);
    finish(facts, ret);
}

void performance_row_of_upstream(const struct facts *facts, const struct upstream_view *view,
                                 struct performance_row *ret)
{
    *ret = (struct performance_row){.name = view->config->name,
                                    .role = roles[1],
                                    .kind = upstream_kind_names[view->config->kind],
                                    .missing = view->missing,
                                    .figures = view->performance};
    call_entry_fill(&ret->traffic, view->calls, &view->transport, false, view->missing);
    finish(facts, ret);
}

const char *performance_rows_missing(const struct facts *facts)
{
    if (!facts->services)
        return facts->services_missing ? facts->services_missing
                                       : "this agent does not measure services";
    if (facts->performance_count)
        return NULL;
    return services_count(facts->services) + services_upstream_count(facts->services)
               ? "there was no memory for them"
               : "no services or upstreams are configured";
}
