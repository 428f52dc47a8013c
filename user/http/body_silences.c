/* GET /silences, POST /admin/silences, DELETE /admin/silences[/ID]. */
#include "base/cleanup.h"
#include "http/alerts.h"
#include "http/error.h"
#include "http/request.h"
#include "http/routes.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is to be silent for longer is to be a rule that is disabled. */
#define SILENCE_SECONDS_MAX (366.0 * 86400)
#define MATCHERS_BYTES_MAX 4096
#define ERROR_BYTES 256

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

static void cleanup_text(struct text *text)
{
    text_free(text);
}

static int no_alerts(struct body *ret)
{
    return error_body(ret, 503, "unavailable", "this agent has no alerts");
}

static int body_silences(const struct body_env *env, struct body *ret)
{
    const struct alert_manager *alerts = env->facts->alerts;
    struct silences_body body = {.realtime_ns = env->facts->snapshot->realtime_ns};
    CLEANUP_FREE struct silence_view *views = NULL;

    if (!alerts)
        body.missing = "this agent has no alerts";
    else
        body.count = alert_manager_silence_count(alerts);
    if (body.count > 0) {
        views = calloc(body.count, sizeof(*views));
        if (!views)
            return -ENOMEM;
    }
    for (size_t i = 0; i < body.count; i++)
        alert_manager_silence_at(alerts, i, &views[i]);
    body.silences = views;
    return body_render(ret, 200, &silences_table, &body, NULL);
}

static bool find_silence(const struct alert_manager *alerts, const char *id,
                         struct silence_view *ret)
{
    for (size_t i = 0; i < alert_manager_silence_count(alerts); i++) {
        alert_manager_silence_at(alerts, i, ret);
        if (strcmp(ret->id, id) == 0)
            return true;
    }
    return false;
}

static int render_one(const struct body_env *env, const struct silence_view *view, struct body *ret)
{
    const struct silences_body body = {
        .realtime_ns = clock_realtime_ns(env->facts->clock), .count = 1, .silences = view};

    return body_render(ret, 200, &silences_table, &body, NULL);
}

static void join_matchers(const cJSON *matchers, struct text *out)
{
    const cJSON *each;

    if (cJSON_IsString(matchers))
        text_add(out, matchers->valuestring);
    cJSON_ArrayForEach (each, matchers)
        text_printf(out, "%s%s", out->len ? ", " : "", each->valuestring);
}

struct span {
    uint64_t start_ns, end_ns;
};

static bool read_time(const cJSON *json, const char *key, uint64_t *ret, char error[ERROR_BYTES])
{
    const char *text = request_string(json, key);

    if (!text || clock_parse_time(text, ret))
        return true;
    snprintf(error, ERROR_BYTES,
             "%s \"%.40s\" is no time (allowed: 2026-01-31T12:00:00Z, or seconds since 1970)", key,
             text);
    return false;
}

/* Begins with the last tick when nothing else is said, so that it is in force at once. */
static int read_span(const struct body_env *env, const cJSON *json, struct span *ret,
                     char error[ERROR_BYTES])
{
    double seconds = request_number(json, "duration_seconds");
    uint64_t now_ns = env->facts->snapshot->realtime_ns;

    if (!now_ns)
        now_ns = clock_realtime_ns(env->facts->clock);
    *ret = (struct span){.start_ns = now_ns};
    if (!read_time(json, "starts_at", &ret->start_ns, error) ||
        !read_time(json, "ends_at", &ret->end_ns, error))
        return -EINVAL;
    if (!isnan(seconds) == (ret->end_ns > 0)) {
        snprintf(error, ERROR_BYTES, "wants exactly one of duration_seconds and ends_at");
        return -EINVAL;
    }
    if (!isnan(seconds) && !(seconds > 0 && seconds <= SILENCE_SECONDS_MAX)) {
        snprintf(error, ERROR_BYTES, "duration_seconds is not above 0 and up to a year");
        return -EINVAL;
    }
    if (!isnan(seconds))
        ret->end_ns = ret->start_ns + clock_ns_of_seconds(seconds);
    if (ret->end_ns > now_ns && (double)(ret->end_ns - now_ns) > 2e9 * SILENCE_SECONDS_MAX) {
        snprintf(error, ERROR_BYTES, "it ends more than two years from now");
        return -EINVAL;
    }
    return 0;
}

static int body_silence(const struct body_env *env, struct body *ret)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json = NULL;
    __attribute__((cleanup(cleanup_text))) struct text matchers;
    struct alert_manager *alerts = env->facts->alerts;
    char error[ERROR_BYTES] = "", id[24];
    struct silence_view view;
    struct span span;
    int r;

    text_init(&matchers, MATCHERS_BYTES_MAX);
    if (!alerts)
        return no_alerts(ret);
    r = request_parse(env, &silence_request_table, &json, error);
    if (r < 0)
        return r == -EINVAL ? error_body(ret, 400, "bad_body", error) : r;
    join_matchers(cJSON_GetObjectItemCaseSensitive(json, "matchers"), &matchers);
    if (!matchers.data || matchers.failed)
        return error_body(ret, 400, "bad_body",
                          "matchers is missing (allowed: [\"alertname=HostDisk\", ...])");
    if (read_span(env, json, &span, error) < 0)
        return error_body(ret, 400, "bad_body", error);
    r = alert_manager_silence(alerts, matchers.data, span.start_ns, span.end_ns,
                              request_string(json, "creator"), request_string(json, "comment"), id,
                              error);
    if (r == -EINVAL)
        return error_body(ret, 400, "bad_body", error);
    if (r == -ENOSPC)
        return error_body(ret, 422, "too_many", error);
    if (r < 0)
        return r;
    return find_silence(alerts, id, &view) ? render_one(env, &view, ret) : -ENOENT;
}

static int end_silence(const struct body_env *env, const char *id, struct body *ret)
{
    struct alert_manager *alerts = env->facts->alerts;
    struct silence_view view;
    char message[128];
    int r;

    if (!find_silence(alerts, id, &view)) {
        snprintf(message, sizeof(message),
                 "there is no silence \"%.40s\"; GET /silences lists them", id);
        return error_body(ret, 404, "not_found", message);
    }
    /* Rendered while its texts are there. */
    r = render_one(env, &view, ret);
    if (r == 0)
        alert_manager_unsilence(alerts, id);
    return r;
}

static int body_unsilence(const struct body_env *env, struct body *ret)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json = NULL;
    char error[REQUEST_ERROR_BYTES];
    int r;

    if (!env->facts->alerts)
        return no_alerts(ret);
    if (*env->param)
        return end_silence(env, env->param, ret);
    r = request_parse(env, &silence_removal_table, &json, error);
    if (r < 0)
        return r == -EINVAL ? error_body(ret, 400, "bad_body", error) : r;
    if (!request_string(json, "id"))
        return error_body(ret, 400, "bad_body", "id is missing (allowed: that of a silence)");
    return end_silence(env, request_string(json, "id"), ret);
}

const struct route route_silences = {
    .method = "GET",
    .path = "/silences",
    .role = ROLE_VIEWER,
    .body = body_silences,
    .needs_sample = true,
    .type = ROUTE_JSON,
    .table = &silences_table,
    .id = "silences",
    .summary = "What nobody wants to be told, until when and why",
    .answer = "The silences that are not over",
};

const struct route route_silence = {
    .method = "POST",
    .path = "/admin/silences",
    .role = ROLE_ADMIN,
    .body = body_silence,
    .acts = true,
    .takes = &silence_request_table,
    .type = ROUTE_JSON,
    .table = &silences_table,
    .id = "silence",
    .summary = "Makes a silence: alerts that it matches are not told",
    .answer = "The silence",
};

const struct route route_unsilence = {
    .method = "DELETE",
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
    .answer = "The silence that was ended",
};

const struct route route_unsilence_by_id = {
    .method = "DELETE",
    .path = "/admin/silences/{id}",
    .role = ROLE_ADMIN,
    .body = body_unsilence,
    .acts = true,
    .finds = true,
    .type = ROUTE_JSON,
    .table = &silences_table,
    .id = "unsilenceById",
    .summary = "Ends a silence",
    .answer = "The silence that was ended",
};
