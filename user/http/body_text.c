/* The bodies that are not JSON: /metrics and the index. */
#include "base/text.h"
#include "facts/metrics.h"
#include "http/routes.h"
#include <errno.h>

/* Far beyond what bounded labels can make of it. */
#define METRICS_BYTES_MAX (8 << 20)
#define INDEX_BYTES_MAX (64 << 10)

static int take(struct text *text, struct body *ret)
{
    size_t len = text->len;
    char *data = text_steal(text);

    if (!data) {
        text_free(text);
        return -ENOMEM;
    }
    *ret = (struct body){.data = data, .len = len, .status = 200};
    return 0;
}

static int body_metrics(const struct body_env *env, struct body *ret)
{
    struct text out;
    int r;

    text_init(&out, METRICS_BYTES_MAX);
    r = metrics_render(env->metrics, &out, env->facts, env->metrics_series_max, env->openmetrics);
    if (r < 0) {
        text_free(&out);
        return r;
    }
    return take(&out, ret);
}

static int body_index(const struct body_env *env, struct body *ret)
{
    struct text out;

    (void)env;
    text_init(&out, INDEX_BYTES_MAX);
    text_add(&out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width\">\n"
                   "<title>Moonwatch</title>\n<h1>Moonwatch</h1>\n<ul>\n");
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = routes[i];

        if (route->acts)
            text_printf(&out, "<li>%s %s: %s (%s)\n", route->method, route->path, route->summary,
                        role_name(route->role));
        else
            text_printf(&out, "<li><a href=\"%s\">%s</a>: %s (%s)\n", route->path, route->path,
                        route->summary, role_name(route->role));
    }
    text_add(&out, "</ul>\n");
    return take(&out, ret);
}

const struct route route_index = {
    .method = "GET",
    .path = "/",
    .role = ROLE_PUBLIC,
    .body = body_index,
    .type = ROUTE_HTML,
    .id = "index",
    .summary = "What is served here",
    .answer = "A page that lists the routes",
};

const struct route route_metrics = {
    .method = "GET",
    .path = "/metrics",
    .role = ROLE_VIEWER,
    .body = body_metrics,
    .needs_sample = true,
    .varies = VARIES_BY_ACCEPT,
    .type = METRICS_TEXT_TYPE,
    .type_alternative = METRICS_OPENMETRICS_TYPE,
    .id = "metrics",
    .summary = "Every figure, for Prometheus",
    .answer = "Prometheus text 0.0.4, or OpenMetrics 1.0 by Accept",
};
