#include "http/site.h"
#include "http/accept.h"
#include "http/admission.h"
#include "http/error.h"
#include "http/routes.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct MHD_Response *create_response(const struct body *body, const char *type)
{
    static const char *const headers[][2] = {
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"X-Content-Type-Options", "nosniff"},
    };
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE);
    bool added;

    if (!response) {
        free(body->data);
        return NULL;
    }
    added = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        added = added && MHD_add_response_header(response, headers[i][0], headers[i][1]) == MHD_YES;
    if (added)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

enum MHD_Result site_refuse_with(struct MHD_Connection *connection, unsigned status,
                                 const char *code, const char *message, const char *header,
                                 const char *value)
{
    struct MHD_Response *response;
    struct body body;
    enum MHD_Result r = MHD_NO;

    if (error_body(&body, status, code, message) < 0)
        return MHD_NO;
    response = create_response(&body, ROUTE_JSON);
    if (!response)
        return MHD_NO;
    if (!header || MHD_add_response_header(response, header, value) == MHD_YES)
        r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

enum MHD_Result site_refuse(struct MHD_Connection *connection, unsigned status, const char *code,
                            const char *message)
{
    return site_refuse_with(connection, status, code, message, NULL, NULL);
}

void site_forget_rendered(struct site *site)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        for (size_t v = 0; v < SITE_VARIANTS; v++) {
            if (site->rendered[i][v].response)
                MHD_destroy_response(site->rendered[i][v].response);
            site->rendered[i][v].response = NULL;
        }
    }
}

/* What the headers say of a route's two types. */
struct accept_scan {
    const struct route *route;
    struct accept_choice usual, alternative;
};

static enum MHD_Result scan_accept(void *ctx, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct accept_scan *scan = ctx;

    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_ACCEPT) != 0 || !value)
        return MHD_YES;
    accept_consider(value, scan->route->type, &scan->usual);
    accept_consider(value, scan->route->type_alternative, &scan->alternative);
    return MHD_YES;
}

/* 0: the usual type, 1: the alternative, -1: neither. */
static int choose_type(struct MHD_Connection *connection, const struct route *route)
{
    struct accept_scan scan = {.route = route};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, scan_accept, &scan);
    return accept_choose(&scan.usual, &scan.alternative);
}

/* What an answer depends on beside the route. */
struct asked {
    struct MHD_Connection *connection;
    const struct request *request;
    const char *param;
    bool variant;
};

static const char *query_of(void *ctx, const char *name)
{
    return MHD_lookup_connection_value(ctx, MHD_GET_ARGUMENT_KIND, name);
}

/* Of a query: how many parameters, and the first that the route does not know. */
struct query_scan {
    const struct route *route;
    size_t count;
    const char *unknown;
};

static enum MHD_Result scan_parameter(void *ctx, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct query_scan *scan = ctx;
    const struct route_query *query = scan->route->queries;

    (void)kind;
    (void)value;
    scan->count++;
    while (query->name && strcmp(query->name, name) != 0)
        query++;
    if (!query->name && !scan->unknown)
        scan->unknown = name;
    return MHD_YES;
}

static enum MHD_Result refuse_parameter(struct MHD_Connection *connection,
                                        const struct query_scan *scan)
{
    char message[320];
    int n = snprintf(message, sizeof(message),
                     "there is no parameter \"%.40s\" (allowed:", scan->unknown);

    for (const struct route_query *query = scan->route->queries; query->name; query++)
        n += snprintf(message + n, sizeof(message) - (size_t)n, "%s %s",
                      query == scan->route->queries ? "" : ",", query->name);
    snprintf(message + n, sizeof(message) - (size_t)n, ")");
    return site_refuse(connection, 400, "bad_query", message);
}

static int render(struct site *site, const struct route *route, const struct asked *asked,
                  struct MHD_Response **ret, unsigned *ret_status)
{
    struct body_env env = {
        .facts = site->sources.facts,
        .sources = &site->sources,
        .metrics = site->metrics,
        .slow_wait_seconds = site->slow_wait_seconds,
        .metrics_series_max = site->metrics_series_max,
        .reduced = route->varies == VARIES_BY_CALLER && asked->variant,
        .openmetrics = route->varies == VARIES_BY_ACCEPT && asked->variant,
        .param = asked->param,
        .query = query_of,
        .query_ctx = asked->connection,
        .request = asked->request->body,
        .request_len = asked->request->body_len,
    };
    struct body body;
    int r = route->body(&env, &body);

    if (r < 0)
        return r;
    *ret_status = body.status;
    *ret = create_response(&body, body.status < 400 || route->reduced
                                      ? (env.openmetrics ? route->type_alternative : route->type)
                                      : ROUTE_JSON);
    return *ret ? 0 : -ENOMEM;
}

/* What was done shows at once, not with the next sample. */
static enum MHD_Result answer_fresh(struct site *site, struct MHD_Connection *connection,
                                    const struct route *route, const struct asked *asked,
                                    unsigned *ret_status)
{
    struct MHD_Response *response = NULL;
    unsigned status = 0;
    enum MHD_Result r;

    if (render(site, route, asked, &response, &status) < 0)
        return site_refuse(connection, 500, "out_of_memory", "the answer could not be made");
    if (route->acts) {
        site_forget_rendered(site);
        if (site->sources.acted)
            site->sources.acted(site->sources.ctx);
    }
    *ret_status = status;
    r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result answer_route(struct site *site, struct MHD_Connection *connection,
                                    const struct route *route, const struct caller *caller,
                                    const struct request *request, const char *param,
                                    unsigned *ret_status)
{
    const struct snapshot *snapshot = site->sources.facts->snapshot;
    int type = route->varies == VARIES_BY_ACCEPT ? choose_type(connection, route) : 0;
    bool variant = (route->varies == VARIES_BY_CALLER && caller->role == ROLE_PUBLIC) || type == 1;
    struct query_scan scan = {.route = route};
    struct asked asked = {
        .connection = connection,
        .request = request,
        .param = param,
        .variant = variant,
    };
    struct rendered *rendered = &site->rendered[route_place(route)][variant];
    struct MHD_Response *response = rendered->response;
    unsigned status = rendered->status;
    enum MHD_Result r;

    if (type < 0)
        return site_refuse(connection, 406, "not_acceptable",
                           "the Accept header refuses every type that there is");
    if (route->needs_sample && snapshot->sequence == 0)
        return site_refuse_with(connection, 503, "not_ready", "nothing was sampled yet; try again",
                                MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (request->body_too_long && route->takes)
        return site_refuse(connection, 413, "body_too_large", "a body here has at most 4096 bytes");
    if (route->queries)
        MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, scan_parameter, &scan);
    if (scan.unknown)
        return refuse_parameter(connection, &scan);
    if (route->acts || *param || scan.count > 0 || snapshot->sequence == 0)
        return answer_fresh(site, connection, route, &asked, ret_status);
    if (response && rendered->sequence == snapshot->sequence)
        return MHD_queue_response(connection, status, response);
    if (render(site, route, &asked, &response, &status) < 0)
        return site_refuse(connection, 500, "out_of_memory", "the answer could not be made");
    r = MHD_queue_response(connection, status, response);
    if (rendered->response)
        MHD_destroy_response(rendered->response);
    rendered->response = response;
    rendered->status = status;
    rendered->sequence = snapshot->sequence;
    return r;
}

enum MHD_Result site_answer(struct site *site, struct MHD_Connection *connection,
                            const struct request *request)
{
    const struct route *route;
    struct caller caller;
    unsigned status = 0;
    enum MHD_Result r;
    char allow[64], param[ROUTE_PARAM_BYTES];

    switch (route_find(request->method, request->url, &route, allow, param)) {
    case ROUTE_NO_PATH:
        return site_refuse(connection, 404, "not_found",
                           "there is no such route; /openapi.json lists them");
    case ROUTE_NO_METHOD:
        return site_refuse_with(connection, 405, "method_not_allowed",
                                "the route has other methods, see the Allow header",
                                MHD_HTTP_HEADER_ALLOW, allow);
    case ROUTE_FOUND:
        break;
    }
    if (!admission_grant(site, connection, route, request, &caller, &r)) {
        if (route->acts && *caller.name)
            admission_audit(site, connection, route, &caller, request, param, MHD_HTTP_FORBIDDEN);
        return r;
    }
    r = answer_route(site, connection, route, &caller, request, param, &status);
    if (route->acts)
        admission_audit(site, connection, route, &caller, request, param, status);
    return r;
}
