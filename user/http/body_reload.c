/* POST /admin/reload. */
#include "http/error.h"
#include "http/routes.h"

struct reload_view {
    const char *status;
    uint64_t realtime_ns;
};

static const char *const outcomes[] = {"reloaded", NULL};

static const struct field reload_fields[] = {
    {.key = "status",
     .kind = FIELD_STRING,
     .offset = offsetof(struct reload_view, status),
     .choices = outcomes},
    {.key = "ts", .kind = FIELD_TIME, .offset = offsetof(struct reload_view, realtime_ns)},
};

static const struct field_table reload_table = FIELD_TABLE("Reload", reload_fields, NULL);

static int body_reload(const struct body_env *env, struct body *ret)
{
    struct reload_view view = {"reloaded", clock_realtime_ns(env->facts->clock)};
    char error[SERVER_ERROR_BYTES] = "the configuration was refused";

    if (!env->sources->reload)
        return error_body(ret, 503, "unavailable", "this agent cannot reload its configuration");
    if (env->sources->reload(env->sources->ctx, error, sizeof(error)) < 0)
        return error_body(ret, 422, "invalid_configuration", error);
    return body_render(ret, 200, &reload_table, &view, NULL);
}

const struct route route_reload = {
    .method = "POST",
    .path = "/admin/reload",
    .role = ROLE_ADMIN,
    .body = body_reload,
    .acts = true,
    .type = ROUTE_JSON,
    .table = &reload_table,
    .id = "reload",
    .summary = "Reads the configuration again, as SIGHUP does",
    .answer = "The new configuration is in force",
};
