/* The bodies of a snapshot in which everything is unknown: each value is null and says why, and
 * nothing is zero. */
#include "config/config.h"
#include "http/body.h"
#include "http/breakers.h"
#include "http/error.h"
#include "http/request.h"
#include "http/routes.h"
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WHY "unreadable in this test"

static struct config *config;
static struct health *health;
static struct snapshot snapshot;
static struct visibility_part visibility[VISIBILITY_PARTS] = {
    {.name = "processes"},
    {.name = "cgroups", .why = WHY},
    {.name = "disks"},
    {.name = "network"},
};
static struct facts facts;
static struct server_sources sources = {.facts = &facts};
static struct body_env env = {.facts = &facts, .sources = &sources, .slow_wait_seconds = 0.1};

static void lose_readings(struct reading *first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        first[i] = reading_missing(WHY);
}

static int create(void **state)
{
    struct config_errors errors;
    char *no_environment[] = {NULL};
    struct process_snapshot *process = &snapshot.process;

    if (config_load(&config, NULL, no_environment, &errors) < 0 || health_create(&health, config))
        return -1;
    snapshot = (struct snapshot){
        .sequence = 1,
        .monotonic_ns = 1,
        .realtime_ns = 1700000000ULL * NS_PER_SECOND,
        .cpu.missing = WHY,
        .throttle.missing = WHY,
        .memory.missing = WHY,
        .disk = {.missing = WHY, .devices_missing = WHY, .traced_missing = WHY},
        .network = {.missing = WHY, .ports_missing = WHY},
        .pressure = {.missing = WHY, .triggers_missing = WHY},
        .process = {.top_missing = WHY, .lifecycle_missing = WHY},
        .scheduler = {.missing = WHY, .blocked_missing = WHY, .reclaim_missing = WHY},
    };
    lose_readings(&process->processes, 1);
    lose_readings(&process->threads, 1);
    lose_readings(&process->pid_limit, 1);
    lose_readings(&process->threads_limit, 1);
    lose_readings(&process->pid_usage_percent, 1);
    lose_readings(&process->files_open, 1);
    lose_readings(&process->files_limit, 1);
    lose_readings(&process->files_usage_percent, 1);
    lose_readings(&process->forks_per_second, 1);
    facts = (struct facts){.clock = clock_system(),
                           .snapshot = &snapshot,
                           .health = health,
                           .probe_missing = WHY,
                           .visibility = visibility};
    health_tick(health, &snapshot, NULL);
    return 0;
}

static int destroy(void **state)
{
    health_destroy(health);
    config_destroy(config);
    return 0;
}

/* Constants, not measurements. */
static bool is_constant(const char *key)
{
    static const char *const constants[] = {"warning_percent",
                                            "critical_percent",
                                            "uptime_seconds",
                                            "recent_window_seconds",
                                            "slow_wait_threshold_seconds",
                                            "starved_threshold_seconds"};

    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        if (strcmp(key, constants[i]) == 0)
            return true;
    return false;
}

static size_t count_unknowns(const cJSON *json)
{
    size_t unknown = 0;
    const cJSON *item;

    cJSON_ArrayForEach (item, json) {
        char reason[128];
        const char *why;

        unknown += count_unknowns(item);
        if (!item->string)
            continue;
        snprintf(reason, sizeof(reason), "%s_reason", item->string);
        why = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, reason));
        if (cJSON_IsNull(item) && !why)
            fail_msg("%s is null without a reason", item->string);
        if (cJSON_IsNumber(item) && !is_constant(item->string))
            fail_msg("%s is %g though nothing is known", item->string, item->valuedouble);
        unknown += why != NULL;
    }
    return unknown;
}

static cJSON *body_of(body_fn *fn, unsigned status)
{
    struct body body;
    cJSON *json;

    assert_int_equal(fn(&env, &body), 0);
    assert_int_equal(body.status, status);
    assert_int_equal(body.len, strlen(body.data));
    json = cJSON_Parse(body.data);
    assert_non_null(json);
    free(body.data);
    return json;
}

static void test_nothing_is_zero(void **state)
{
    const struct {
        body_fn *fn;
        size_t unknown; /* at least */
    } bodies[] = {{route_health.body, 1},
                  {route_resources.body, 60},
                  {route_scheduler.body, 10},
                  {route_priority.body, 5 * 8},
                  {route_performance.body, 2}};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        cJSON *json = body_of(bodies[i].fn, 200);

        assert_true(count_unknowns(json) >= bodies[i].unknown);
        cJSON_Delete(json);
    }
}

static void test_reason_is_handed_on(void **state)
{
    cJSON *json = body_of(route_resources.body, 200);
    const cJSON *cpu = cJSON_GetObjectItem(json, "cpu");

    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cpu, "usage_percent")));
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(cpu, "usage_percent_reason")),
                        WHY);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(cpu, "status")), "unknown");
    assert_true(cJSON_IsArray(cJSON_GetObjectItem(json, "disk")));
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "disk_reason")), WHY);
    cJSON_Delete(json);
}

static void test_reduced_health_tells_no_detail(void **state)
{
    cJSON *json;
    char *text;

    env.reduced = true;
    json = body_of(route_health.body, 200);
    env.reduced = false;
    text = cJSON_PrintUnformatted(json);
    assert_null(strstr(text, WHY));
    assert_null(strstr(text, "probes"));
    assert_null(strstr(text, "unseen"));
    assert_non_null(strstr(text, "\"status\":\"unknown\""));
    free(text);
    cJSON_Delete(json);
}

static void test_what_is_not_seen(void **state)
{
    cJSON *json = body_of(route_health.body, 200);
    const cJSON *unseen = cJSON_GetObjectItem(json, "unseen"),
                *part = cJSON_GetArrayItem(unseen, 0);

    assert_int_equal(cJSON_GetArraySize(unseen), 1);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(part, "what")), "cgroups");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(part, "reason")), WHY);
    cJSON_Delete(json);
}

static void test_before_the_first_sample(void **state)
{
    uint64_t sequence = snapshot.sequence;
    cJSON *json;

    snapshot.sequence = 0;
    json = body_of(route_health.body, 200);
    snapshot.sequence = sequence;
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "ts")));
    cJSON_Delete(json);
}

static int refuse_reload(void *ctx, char *error, size_t size)
{
    snprintf(error, size, "F: /x: wrong");
    return -EINVAL;
}

static void test_reload(void **state)
{
    cJSON *json = body_of(route_reload.body, 503);

    cJSON_Delete(json);
    sources.reload = refuse_reload;
    json = body_of(route_reload.body, 422);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "error"), "message")),
        "F: /x: wrong");
    cJSON_Delete(json);
    sources.reload = NULL;
}

#define BODY(text, taken)                                                                          \
    {                                                                                              \
        text, sizeof(text) - 1, taken                                                              \
    }

/* A string would end there, and mean something else. */
static void test_a_body_holds_no_nul(void **state)
{
    static const struct {
        const char *body;
        size_t len;
        bool taken;
    } rows[] = {
        BODY("{\"name\": \"pay\\u0000x\"}", false),  BODY("{\"name\": \"pay\\\\\\u0000x\"}", false),
        BODY("{\"name\": \"pay\0x\"}", false),       BODY("{\"name\": \"pay\"}\0", false),
        BODY("{\"name\": \"pay\\\\u0000x\"}", true), BODY("{\"name\": \"pay\\u0001x\"}", true),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct body_env sent = {.request = rows[i].body, .request_len = rows[i].len};
        char error[REQUEST_ERROR_BYTES] = "";
        cJSON *json = NULL;
        int r = request_parse(&sent, &breaker_reset_table, &json, error);

        if (r != (rows[i].taken ? 0 : -EINVAL) || (r < 0 && !strstr(error, "NUL")))
            fail_msg("%s: %d, %s", rows[i].body, r, error);
        cJSON_Delete(json);
    }
}

static void test_openapi(void **state)
{
    cJSON *json = body_of(route_openapi.body, 200), *schemas, *paths;

    schemas = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "components"), "schemas");
    paths = cJSON_GetObjectItem(json, "paths");
    assert_non_null(cJSON_GetObjectItem(schemas, error_table.name));
    assert_non_null(cJSON_GetObjectItemCaseSensitive(schemas, "Resources"));
    assert_non_null(cJSON_GetObjectItem(cJSON_GetObjectItem(paths, "/admin/reload"), "post"));
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_zero),
        cmocka_unit_test(test_reason_is_handed_on),
        cmocka_unit_test(test_reduced_health_tells_no_detail),
        cmocka_unit_test(test_what_is_not_seen),
        cmocka_unit_test(test_before_the_first_sample),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_a_body_holds_no_nul),
        cmocka_unit_test(test_openapi),
    };

    return cmocka_run_group_tests(tests, create, destroy);
}
