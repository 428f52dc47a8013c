#include "http/routes.h"
#include "facts/metrics.h"
#include "http/alerts.h"
#include "http/breakers.h"
#include "http/reload.h"
#include <stdio.h>
#include <string.h>

const struct route routes[] = {
    {.method = "GET",
     .path = "/",
     .role = ROLE_PUBLIC,
     .body = body_index,
     .type = ROUTE_HTML,
     .id = "index",
     .summary = "What is served here",
     .answer = "A page that lists the routes"},
    {.method = "GET",
     .path = "/health",
     .role = ROLE_PUBLIC,
     .body = body_health,
     .varies = VARIES_BY_CALLER,
     .type = ROUTE_JSON,
     .table = &health_table,
     .reduced = &health_reduced_table,
     .id = "health",
     .summary = "The host's health and that of its components",
     .answer = "Healthy, degraded or unknown; without a viewer token, no detail of the host"},
    {.method = "GET",
     .path = "/health/resources",
     .role = ROLE_VIEWER,
     .body = body_resources,
     .needs_sample = true,
     .type = ROUTE_JSON,
     .table = &resources_table,
     .id = "healthResources",
     .summary = "CPU, memory, disks, network, pressure: usage, thresholds, status, top offenders",
     .answer = "The figures of the last second"},
    {.method = "GET",
     .path = "/health/scheduler",
     .role = ROLE_VIEWER,
     .body = body_scheduler,
     .needs_sample = true,
     .type = ROUTE_JSON,
     .table = &scheduler_table,
     .id = "healthScheduler",
     .summary = "Run-queue delay, runnable and blocked tasks, slow waits, the worst cgroups",
     .answer = "The figures of the last minute and since the agent started"},
    {.method = "GET",
     .path = "/health/performance",
     .role = ROLE_VIEWER,
     .body = body_performance,
     .needs_sample = true,
     .type = ROUTE_JSON,
     .table = &performance_table,
     .id = "healthPerformance",
     .summary = "What services deliver, and their circuit breakers",
     .answer = "The figures per service"},
    {.method = "GET",
     .path = "/health/priority",
     .role = ROLE_VIEWER,
     .body = body_priority,
     .needs_sample = true,
     .type = ROUTE_JSON,
     .table = &priority_table,
     .id = "healthPriority",
     .summary = "Run-queue delay and starvation per priority class",
     .answer = "The figures of the last minute and since the agent started"},
    {.method = "GET",
     .path = "/services",
     .role = ROLE_VIEWER,
     .body = body_services,
     .needs_sample = true,
     .type = ROUTE_JSON,
     .table = &services_table,
     .id = "services",
     .summary = "Services and upstreams: rate, errors, latency, what is usual",
     .answer = "What runs here, and what is called from here"},
    {.method = "GET",
     .path = "/breakers",
     .role = ROLE_VIEWER,
     .body = body_breakers,
     .needs_sample = true,
     .type = ROUTE_JSON,
     .table = &breakers_table,
     .id = "breakers",
     .summary = "The circuit breakers of all upstreams",
     .answer = "Their states, figures and last transitions"},
    {.method = "GET",
     .path = "/breakers/{name}",
     .role = ROLE_VIEWER,
     .body = body_breaker,
     .needs_sample = true,
     .finds = true,
     .type = ROUTE_JSON,
     .table = &breaker_detail_table,
     .id = "breaker",
     .summary = "One upstream's circuit breaker, for applications that would rather ask",
     .answer = "Its state, figures and latest transitions"},
    {.method = "GET",
     .path = "/alerts",
     .role = ROLE_VIEWER,
     .body = body_alerts,
     .needs_sample = true,
     .queries = alert_queries,
     .type = ROUTE_JSON,
     .table = &alerts_table,
     .id = "alerts",
     .summary = "Alerts that fire or are about to, and those that are over",
     .answer = "The alerts that the query asks for"},
    {.method = "GET",
     .path = "/silences",
     .role = ROLE_VIEWER,
     .body = body_silences,
     .needs_sample = true,
     .type = ROUTE_JSON,
     .table = &silences_table,
     .id = "silences",
     .summary = "What nobody wants to be told, until when and why",
     .answer = "The silences that are not over"},
    {.method = "GET",
     .path = "/metrics",
     .role = ROLE_VIEWER,
     .body = body_metrics,
     .needs_sample = true,
     .varies = VARIES_BY_ACCEPT,
     .type = METRICS_TEXT_TYPE,
     .type_alternative = METRICS_OPENMETRICS_TYPE,
     .id = "metrics",
     .summary = "Every figure, for Prometheus",
     .answer = "Prometheus text 0.0.4, or OpenMetrics 1.0 by Accept"},
    {.method = "GET",
     .path = "/openapi.json",
     .role = ROLE_PUBLIC,
     .body = body_openapi,
     .type = ROUTE_JSON,
     .id = "openapi",
     .summary = "This description",
     .answer = "An OpenAPI 3.1 document"},
    {.method = "POST",
     .path = "/admin/reload",
     .role = ROLE_ADMIN,
     .body = body_reload,
     .acts = true,
     .type = ROUTE_JSON,
     .table = &reload_table,
     .id = "reload",
     .summary = "Reads the configuration again, as SIGHUP does",
     .answer = "The new configuration is in force"},
    {.method = "POST",
     .path = "/admin/circuit-breaker/reset",
     .role = ROLE_ADMIN,
     .body = body_breaker_reset,
     .acts = true,
     .finds = true,
     .takes = &breaker_reset_table,
     .type = ROUTE_JSON,
     .table = &breakers_table,
     .id = "breakerReset",
     .summary = "Makes all circuit breakers as new, or the one named in the body",
     .answer = "The breakers that were reset, as they are now"},
    {.method = "POST",
     .path = "/admin/circuit-breaker/{name}/open",
     .role = ROLE_ADMIN,
     .body = body_breaker_open,
     .acts = true,
     .finds = true,
     .type = ROUTE_JSON,
     .table = &breakers_table,
     .id = "breakerOpen",
     .summary = "Holds all calls to an upstream back until it is closed or reset by hand",
     .answer = "The breaker as it is now"},
    {.method = "POST",
     .path = "/admin/circuit-breaker/{name}/close",
     .role = ROLE_ADMIN,
     .body = body_breaker_close,
     .acts = true,
     .finds = true,
     .type = ROUTE_JSON,
     .table = &breakers_table,
     .id = "breakerClose",
     .summary = "Lets calls to an upstream through again at once",
     .answer = "The breaker as it is now"},
    {.method = "POST",
     .path = "/admin/alerts/{id}/ack",
     .role = ROLE_ADMIN,
     .body = body_alert_ack,
     .acts = true,
     .finds = true,
     .takes = &alert_ack_table,
     .type = ROUTE_JSON,
     .table = &alert_acked_table,
     .id = "alertAck",
     .summary = "Says that somebody takes care of a firing alert: no repeats, no escalation",
     .answer = "The alert as it is now"},
    {.method = "POST",
     .path = "/admin/silences",
     .role = ROLE_ADMIN,
     .body = body_silence,
     .acts = true,
     .takes = &silence_request_table,
     .type = ROUTE_JSON,
     .table = &silences_table,
     .id = "silence",
     .summary = "Makes a silence: alerts that it matches are not told",
     .answer = "The silence"},
    {.method = "DELETE",
     .path = "/admin/silences",
     .role = ROLE_ADMIN,
     .body = body_unsilence,
     .acts = true,
     .finds = true,
     .takes = &silence_removal_table,
     .type = ROUTE_JSON,
     .table = &silences_table,
     .id = "unsilence",
     .summary = "Ends the silence named in the body",
     .answer = "The silence that was ended"},
    {.method = "DELETE",
     .path = "/admin/silences/{id}",
     .role = ROLE_ADMIN,
     .body = body_unsilence,
     .acts = true,
     .finds = true,
     .type = ROUTE_JSON,
     .table = &silences_table,
     .id = "unsilenceById",
     .summary = "Ends a silence",
     .answer = "The silence that was ended"},
};

const size_t route_count = sizeof(routes) / sizeof(routes[0]);

_Static_assert(sizeof(routes) / sizeof(routes[0]) <= ROUTES_MAX, "a place for each route");

static void add_method(char allow[64], const char *method)
{
    size_t len = strlen(allow);

    snprintf(allow + len, 64 - len, "%s%s%s", len ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

const char *route_param(const struct route *route)
{
    return strchr(route->path, '{');
}

static bool path_matches(const struct route *route, const char *path, char param[ROUTE_PARAM_BYTES])
{
    const char *brace = route_param(route), *rest;
    size_t before, len;

    *param = '\0';
    if (!brace)
        return strcmp(route->path, path) == 0;
    before = (size_t)(brace - route->path);
    if (strncmp(route->path, path, before) != 0)
        return false;
    len = strcspn(path + before, "/");
    rest = strchr(brace, '}') + 1;
    if (len == 0 || len >= ROUTE_PARAM_BYTES || strcmp(rest, path + before + len) != 0)
        return false;
    memcpy(param, path + before, len);
    param[len] = '\0';
    return true;
}

enum route_match route_find(const char *method, const char *path, const struct route **ret,
                            char allow[64], char param[ROUTE_PARAM_BYTES])
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    enum route_match match = ROUTE_NO_PATH;

    *allow = '\0';
    for (size_t i = 0; i < route_count; i++) {
        if (!path_matches(&routes[i], path, param))
            continue;
        if (strcmp(routes[i].method, wanted) == 0) {
            *ret = &routes[i];
            return ROUTE_FOUND;
        }
        match = ROUTE_NO_METHOD;
        add_method(allow, routes[i].method);
    }
    return match;
}
