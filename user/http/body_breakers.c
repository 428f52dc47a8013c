/* GET /breakers, GET /breakers/NAME, POST /admin/circuit-breaker/... */
#include "base/cleanup.h"
#include "http/breakers.h"
#include "http/error.h"
#include "http/routes.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int body_breakers(const struct body_env *env, struct body *ret)
{
    struct breakers_body body = {
        .realtime_ns = env->facts->snapshot->realtime_ns,
        .count = env->facts->breaker_count,
        .entries = env->facts->breakers,
        .missing = breaker_entries_missing(env->facts),
    };

    return body_render(ret, 200, &breakers_table, &body, NULL);
}

static int no_such(const struct body_env *env, const char *name, struct body *ret)
{
    char message[ROUTE_NAME_BYTES + 96];

    if (!env->facts->services)
        return error_body(ret, 503, "unavailable", breaker_entries_missing(env->facts));
    snprintf(message, sizeof(message), "there is no upstream \"%.*s\"; GET /breakers lists them",
             ROUTE_NAME_BYTES, name);
    return error_body(ret, 404, "not_found", message);
}

static int body_breaker(const struct body_env *env, struct body *ret)
{
    struct breaker_detail detail;

    if (!breaker_detail_take(env->facts, env->param, &detail))
        return no_such(env, env->param, ret);
    return body_render(ret, 200, &breaker_detail_table,
                       &(struct breaker_body){.realtime_ns = detail.realtime_ns,
                                              .entry = &detail.entry,
                                              .history_count = detail.history_count,
                                              .history = detail.history},
                       NULL);
}

/* As it is after what was done to it. */
static int render_one(const struct body_env *env, const char *name, struct body *ret)
{
    struct breakers_body body = {.realtime_ns = clock_realtime_ns(env->facts->clock)};
    struct breaker_detail detail;

    facts_take(env->facts);
    if (breaker_detail_take(env->facts, name, &detail)) {
        body.entries = &detail.entry;
        body.count = 1;
    }
    return body_render(ret, 200, &breakers_table, &body, NULL);
}

static int act(const struct body_env *env, struct body *ret,
               int (*action)(struct services *, const char *, uint64_t))
{
    char message[ROUTE_NAME_BYTES + 128];
    int r = env->facts->services
                ? action(env->facts->services, env->param, clock_monotonic_ns(env->facts->clock))
                : -ENOENT;

    if (r == -ENOENT)
        return no_such(env, env->param, ret);
    if (r == 0)
        return render_one(env, env->param, ret);
    snprintf(message, sizeof(message),
             "the configured mode of \"%.*s\" decides: change its breaker.mode (or "
             "circuit_breaker.enabled) and reload",
             ROUTE_NAME_BYTES, env->param);
    return error_body(ret, 422, "mode_decides", message);
}

static int body_breaker_open(const struct body_env *env, struct body *ret)
{
    return act(env, ret, services_open);
}

static int body_breaker_close(const struct body_env *env, struct body *ret)
{
    return act(env, ret, services_close);
}

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

/* {"name": "..."}, {} or nothing. False when it is something else. */
static bool read_name(const struct body_env *env, cJSON *json, const char **ret)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");

    *ret = NULL;
    if (!env->request_len)
        return true;
    if (!cJSON_IsObject(json) || (name && !cJSON_IsString(name)) ||
        cJSON_GetArraySize(json) != (name ? 1 : 0))
        return false;
    *ret = cJSON_GetStringValue(name);
    return true;
}

static int body_breaker_reset(const struct body_env *env, struct body *ret)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json =
        env->request_len ? cJSON_ParseWithLength(env->request, env->request_len) : NULL;
    const char *name;
    int r;

    if (!read_name(env, json, &name))
        return error_body(ret, 400, "bad_body",
                          "the body is none of: nothing, {}, {\"name\": \"UPSTREAM\"}");
    if (!env->facts->services)
        return no_such(env, "", ret);
    r = services_reset(env->facts->services, name, clock_monotonic_ns(env->facts->clock));
    if (r == -ENOENT)
        return no_such(env, name, ret);
    if (name)
        return render_one(env, name, ret);
    facts_take(env->facts);
    return body_breakers(env, ret);
}

const struct route route_breakers = {
    .method = "GET",
    .path = "/breakers",
    .role = ROLE_VIEWER,
    .body = body_breakers,
    .needs_sample = true,
    .type = ROUTE_JSON,
    .table = &breakers_table,
    .id = "breakers",
    .summary = "The circuit breakers of all upstreams",
    .answer = "Their states, figures and last transitions",
};

const struct route route_breaker = {
    .method = "GET",
    .path = "/breakers/{name}",
    .role = ROLE_VIEWER,
    .body = body_breaker,
    .needs_sample = true,
    .finds = true,
    .type = ROUTE_JSON,
    .table = &breaker_detail_table,
    .id = "breaker",
    .summary = "One upstream's circuit breaker, for applications that would rather ask",
    .answer = "Its state, figures and latest transitions",
};

const struct route route_breaker_reset = {
    .method = "POST",
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
    .answer = "The breakers that were reset, as they are now",
};

const struct route route_breaker_open = {
    .method = "POST",
    .path = "/admin/circuit-breaker/{name}/open",
    .role = ROLE_ADMIN,
    .body = body_breaker_open,
    .acts = true,
    .finds = true,
    .type = ROUTE_JSON,
    .table = &breakers_table,
    .id = "breakerOpen",
    .summary = "Holds all calls to an upstream back until it is closed or reset by hand",
    .answer = "The breaker as it is now",
};

const struct route route_breaker_close = {
    .method = "POST",
    .path = "/admin/circuit-breaker/{name}/close",
    .role = ROLE_ADMIN,
    .body = body_breaker_close,
    .acts = true,
    .finds = true,
    .type = ROUTE_JSON,
    .table = &breakers_table,
    .id = "breakerClose",
    .summary = "Lets calls to an upstream through again at once",
    .answer = "The breaker as it is now",
};
