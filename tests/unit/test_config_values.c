/* What lands in the struct: defaults, file, environment, short forms, inheritance. */
#include "config_text.h"
#include "paths.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define DEFAULT_FILE TEST_CONFIG_DIRECTORY "/monitoring.json"

static struct config *load_default(char *const *environment)
{
    struct config_errors errors;
    struct config *config = NULL;

    if (config_load(&config, NULL, environment, &errors) < 0)
        fail_msg("%s: %s", errors.list[0].pointer, errors.list[0].message);
    return config;
}

static void check_contract(const struct config *c)
{
    assert_true(c->health_monitor.enabled);
    assert_float_equal(c->health_monitor.check_interval_seconds, 30, 0);
    assert_float_equal(c->health_monitor.thresholds.cpu_warning, 70, 0);
    assert_float_equal(c->health_monitor.thresholds.cpu_critical, 85, 0);
    assert_float_equal(c->health_monitor.cpu_critical_after_seconds, 300, 0);
    assert_float_equal(c->health_monitor.thresholds.memory_warning, 75, 0);
    assert_float_equal(c->health_monitor.thresholds.memory_critical, 90, 0);
    assert_float_equal(c->health_monitor.thresholds.disk_warning, 80, 0);
    assert_float_equal(c->health_monitor.thresholds.disk_critical, 95, 0);
    assert_true(c->performance_tracker.enabled);
    assert_float_equal(c->performance_tracker.window_size_seconds, 300, 0);
    assert_float_equal(c->performance_tracker.degradation_threshold, 0.2, 0);
    assert_float_equal(c->performance_tracker.optimization_interval_seconds, 60, 0);
    assert_true(c->alert_manager.enabled);
    assert_float_equal(c->alert_manager.cooldown_period_seconds, 300, 0);
    assert_float_equal(c->alert_manager.escalation_delay_seconds, 900, 0);
    assert_int_equal(c->alert_manager.max_alerts_per_hour, 10);
    assert_true(c->circuit_breaker.enabled);
    assert_int_equal(c->circuit_breaker.failure_threshold, 5);
    assert_float_equal(c->circuit_breaker.recovery_timeout_seconds, 60, 0);
    assert_int_equal(c->circuit_breaker.success_threshold, 3);
    assert_float_equal(c->circuit_breaker.timeout_seconds, 30, 0);
    assert_true(c->circuit_breaker.fallback.enabled);
    assert_float_equal(c->circuit_breaker.fallback.cache_ttl_seconds, 300, 0);
    assert_float_equal(c->circuit_breaker.fallback.timeout_seconds, 10, 0);
    assert_string_equal(c->server.listen, "127.0.0.1:8000");
    assert_string_equal(c->server.bpffs_directory, "/sys/fs/bpf/moonwatch");
    assert_int_equal(c->server.log_level, 1);
    assert_null(c->auth.tokens_file);
    assert_int_equal(c->services.count, 0);
    assert_int_equal(c->upstreams.count, 0);
    assert_int_equal(c->overhead.probes.tcp, 0);
    assert_int_equal(c->overhead.ring_bytes & (c->overhead.ring_bytes - 1), 0);
}

static void built_in_defaults_are_the_contract(void **state)
{
    struct config *config = load_default(NULL);

    check_contract(config);
    config_destroy(config);
}

static void the_checked_in_file_says_the_same(void **state)
{
    struct config_errors errors;
    struct config *config = NULL;

    if (config_load(&config, DEFAULT_FILE, NULL, &errors) < 0)
        fail_msg("%s: %s", errors.list[0].pointer, errors.list[0].message);
    check_contract(config);
    config_destroy(config);
}

static void an_empty_object_is_enough(void **state)
{
    struct config *config = load_valid("\xef\xbb\xbf {} \n", NULL);

    check_contract(config);
    config_destroy(config);
}

static void environment_beats_file_beats_default(void **state)
{
    static const char file[] = "{\"health_monitor\":{\"enabled\":true,\"check_interval\":20},"
                               "\"circuit_breaker\":{\"failure_threshold\":7}}";
    static char *const environment[] = {
        "MONITORING_ENABLED=false", "HEALTH_CHECK_INTERVAL=10",    "PERFORMANCE_TRACKING=0",
        "ALERT_NOTIFICATIONS=No",   "CIRCUIT_BREAKER_ENABLED=off", "FAILURE_THRESHOLD=9",
        "RECOVERY_TIMEOUT=2.5",     "FALLBACK_ENABLED=FALSE",      "CACHE_TTL=",
        "FALLBACK_TIMEOUT=1e1",     "FALLBACK_TIMEOUTS=x",         NULL};
    struct config *config = load_valid(file, NULL);

    assert_float_equal(config->health_monitor.check_interval_seconds, 20, 0);
    assert_int_equal(config->circuit_breaker.failure_threshold, 7);
    config_destroy(config);

    config = load_valid(file, environment);
    assert_false(config->health_monitor.enabled);
    assert_float_equal(config->health_monitor.check_interval_seconds, 10, 0);
    assert_false(config->performance_tracker.enabled);
    assert_false(config->alert_manager.enabled);
    assert_false(config->circuit_breaker.enabled);
    assert_int_equal(config->circuit_breaker.failure_threshold, 9);
    assert_float_equal(config->circuit_breaker.recovery_timeout_seconds, 2.5, 0);
    assert_false(config->circuit_breaker.fallback.enabled);
    assert_float_equal(config->circuit_breaker.fallback.cache_ttl_seconds, 300, 0);
    assert_float_equal(config->circuit_breaker.fallback.timeout_seconds, 10, 0);
    config_destroy(config);
}

static void bad_variables_are_named(void **state)
{
    static char *const bad[] = {"MONITORING_ENABLED=maybe",   "HEALTH_CHECK_INTERVAL=soon",
                                "HEALTH_CHECK_INTERVAL=0",    "HEALTH_CHECK_INTERVAL=30s",
                                "HEALTH_CHECK_INTERVAL= 30",  "HEALTH_CHECK_INTERVAL=nan",
                                "HEALTH_CHECK_INTERVAL=inf",  "HEALTH_CHECK_INTERVAL=0x10",
                                "PERFORMANCE_TRACKING=2",     "ALERT_NOTIFICATIONS=tru",
                                "CIRCUIT_BREAKER_ENABLED=-1", "FAILURE_THRESHOLD=1.5",
                                "FAILURE_THRESHOLD=-3",       "RECOVERY_TIMEOUT=99999999",
                                "FALLBACK_ENABLED=enabled",   "CACHE_TTL=-1",
                                "FALLBACK_TIMEOUT=0"};
    struct config_errors errors;
    struct config *config = NULL;
    char expected[64];
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *const environment[] = {bad[i], NULL};

        assert_int_equal(config_load(&config, NULL, environment, &errors), -EINVAL);
        assert_int_equal(errors.count, 1);
        snprintf(expected, sizeof(expected), "environment %.*s", (int)strcspn(bad[i], "="), bad[i]);
        assert_string_equal(errors.list[0].pointer, expected);
        assert_non_null(strstr(errors.list[0].message, "(allowed: "));
        assert_null(config);
    }
}

static void short_forms_are_the_warning_levels(void **state)
{
    struct config *config = load_valid("{\"health_monitor\":{\"cpu_threshold\":80.0,"
                                       "\"memory_threshold\":85.0,\"disk_threshold\":90.0,"
                                       "\"thresholds\":{\"cpu_critical\":99}}}",
                                       NULL);

    assert_float_equal(config->health_monitor.thresholds.cpu_warning, 80, 0);
    assert_float_equal(config->health_monitor.thresholds.cpu_critical, 99, 0);
    assert_float_equal(config->health_monitor.thresholds.memory_warning, 85, 0);
    assert_float_equal(config->health_monitor.thresholds.disk_warning, 90, 0);
    config_destroy(config);
}

static void null_means_not_given(void **state)
{
    struct config *config = load_valid("{\"auth\":{\"tokens_file\":null},\"fleet\":null,"
                                       "\"services\":null}",
                                       NULL);

    assert_null(config->auth.tokens_file);
    assert_null(config->fleet.name);
    assert_float_equal(config->fleet.interval_seconds, 10, 0);
    config_destroy(config);
}

static void services_land_whole(void **state)
{
    struct config *config =
        load_valid("{\"services\":[{\"name\":\"web\",\"kind\":\"worker\",\"priority\":\"low\","
                   "\"match\":{\"unit\":\"nginx.service\",\"port\":80},"
                   "\"check\":{\"type\":\"http\",\"url\":\"https://h/\",\"expect\":204},"
                   "\"healing\":{\"mode\":\"act\",\"actions\":[\"retune\",\"restart\"]}},"
                   "{\"name\":\"b\",\"kind\":\"job\",\"match\":{\"unit\":\"my.job@1\"}}]}",
                   NULL);
    const struct config_service *s = config->services.items;

    assert_int_equal(config->services.count, 2);
    assert_string_equal(s[1].match.unit, "my.job@1.service");
    assert_string_equal(s->name, "web");
    assert_int_equal(s->kind, SERVICE_WORKER);
    assert_int_equal(s->priority, SERVICE_PRIORITY_LOW);
    assert_string_equal(s->match.unit, "nginx.service");
    assert_int_equal(s->match.port, 80);
    assert_null(s->match.comm);
    assert_true(s->check.given);
    assert_int_equal(s->check.type, CHECK_HTTP);
    assert_true(s->check.expect.given);
    assert_int_equal(s->check.expect.status, 204);
    assert_null(s->check.expect.body);
    assert_float_equal(s->check.interval_seconds, 10, 0);
    assert_true(s->healing.given);
    assert_int_equal(s->healing.mode, HEALING_ACT);
    assert_int_equal(s->healing.actions, HEALING_RESTART | HEALING_RETUNE);
    assert_int_equal(s[1].priority, SERVICE_PRIORITY_NORMAL);
    assert_false(s[1].check.given);
    assert_false(s[1].healing.given);
    config_destroy(config);
}

static void a_cgroup_is_kept_in_one_spelling(void **state)
{
    static const struct {
        const char *written, *kept;
    } rows[] = {
        {"app", "/app"},
        {"/app", "/app"},
        {"app.slice/a.service", "/app.slice/a.service"},
        {"//app.slice//a.service/", "/app.slice/a.service"},
        {"/", "/"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct config *config;

        snprintf(
            text, sizeof(text),
            "{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"cgroup\":\"%s\"}}],"
            "\"upstreams\":[{\"name\":\"x\",\"address\":\"h:1\",\"clients\":{\"cgroup\":\"%s\"}}],"
            "\"alert_manager\":{\"rules\":[{\"name\":\"A\",\"kind\":\"absent\",\"metric\":\"m\","
            "\"match\":{\"cgroup\":\"%s\",\"mount\":\"%s\"}}]}}",
            rows[i].written, rows[i].written, rows[i].written, rows[i].written);
        config = load_valid(text, NULL);
        assert_string_equal(config->services.items[0].match.cgroup, rows[i].kept);
        assert_string_equal(config->upstreams.items[0].clients.cgroup, rows[i].kept);
        assert_string_equal(config->alert_manager.rules.items[0].match.items[0].value,
                            rows[i].kept);
        assert_string_equal(config->alert_manager.rules.items[0].match.items[1].value,
                            rows[i].written);
        config_destroy(config);
    }
}

static void upstreams_inherit_the_global_breaker(void **state)
{
    static char *const environment[] = {"RECOVERY_TIMEOUT=600", "CACHE_TTL=7", NULL};
    struct config *config = load_valid(
        "{\"upstreams\":[{\"name\":\"db\",\"kind\":\"database\","
        "\"address\":[\"10.0.0.0/8:5432\",\"[::1]:5432\"],\"clients\":{\"cgroup\":\"app\"},"
        "\"breaker\":{\"mode\":\"enforce\",\"success_threshold\":20,\"window\":10},"
        "\"fallback\":{\"strategy\":\"reduced\",\"response\":{\"body\":\"a\\nb\"}}},"
        "{\"name\":\"x\",\"address\":\"h:1\",\"netns\":\"/run/netns/x\"}],"
        "\"circuit_breaker\":{\"failure_threshold\":2,\"timeout\":4}}",
        environment);
    const struct config_upstream *u = config->upstreams.items;

    assert_int_equal(config->upstreams.count, 2);
    assert_int_equal(u->kind, UPSTREAM_DATABASE);
    assert_int_equal(u->addresses.count, 2);
    assert_string_equal(u->addresses.items[1], "[::1]:5432");
    assert_string_equal(u->clients.cgroup, "/app");
    assert_string_equal(u->netns, "own");
    assert_string_equal(u[1].netns, "/run/netns/x");
    assert_int_equal(u->breaker.mode, BREAKER_MODE_ENFORCE);
    assert_int_equal(u->breaker.failure_threshold, 2);
    assert_float_equal(u->breaker.timeout_seconds, 4, 0);
    assert_int_equal(u->breaker.success_threshold, 20);
    /* Defaults that the given or inherited values would contradict give way. */
    assert_int_equal(u->breaker.half_open_max_calls, 20);
    assert_int_equal(u->breaker.minimum_calls, 10);
    assert_float_equal(u->breaker.recovery_timeout_seconds, 600, 0);
    assert_float_equal(u->breaker.max_recovery_timeout_seconds, 600, 0);
    assert_true(u->fallback.given);
    assert_true(u->fallback.enabled);
    assert_int_equal(u->fallback.strategy, FALLBACK_REDUCED);
    assert_float_equal(u->fallback.cache_ttl_seconds, 7, 0);
    assert_int_equal(u->fallback.response.status, 200);
    assert_string_equal(u->fallback.response.body, "a\nb");
    assert_int_equal(u[1].kind, UPSTREAM_TCP);
    assert_string_equal(u[1].addresses.items[0], "h:1");
    assert_int_equal(u[1].breaker.mode, BREAKER_MODE_OBSERVE);
    assert_float_equal(u[1].breaker.recovery_timeout_seconds, 600, 0);
    assert_false(u[1].fallback.given);
    config_destroy(config);
}

static void alerting_lands_whole(void **state)
{
    struct config *config = load_valid(
        "{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"metric\":\"m\",\"below\":3,"
        "\"match\":{\"device\":\"sda\"},\"severity\":\"critical\"}],"
        "\"channels\":[{\"name\":\"mail\",\"type\":\"email\",\"smtp\":\"h:25\",\"from\":\"a@b\","
        "\"to\":\"c@d\"}],\"routes\":[{\"channels\":[\"mail\"],\"group_by\":[\"host\"]}],"
        "\"inhibit\":[{\"source\":{\"a\":\"b\"},\"target\":{\"c\":\"d\"}}],"
        "\"mute_windows\":[{\"name\":\"n\",\"days\":[\"sat\",\"sun\"],\"start\":\"22:00\","
        "\"end\":\"06:00\"}]}}",
        NULL);

    assert_float_equal(config->alert_manager.rules.items[0].below, 3, 0);
    assert_true(isnan(config->alert_manager.rules.items[0].above));
    assert_true(isnan(config->alert_manager.rules.items[0].clear));
    assert_int_equal(config->alert_manager.rules.items[0].severity, SEVERITY_CRITICAL);
    assert_string_equal(config->alert_manager.rules.items[0].match.items[0].key, "device");
    assert_string_equal(config->alert_manager.rules.items[0].match.items[0].value, "sda");
    assert_string_equal(config->alert_manager.channels.items[0].to.items[0], "c@d");
    assert_int_equal(config->alert_manager.channels.items[0].breaker.failure_threshold,
                     config->circuit_breaker.failure_threshold);
    assert_true(config->alert_manager.channels.items[0].retry.max_delay_seconds ==
                config->retry.max_delay_seconds);
    assert_int_equal(config->alert_manager.channels.items[0].type, CHANNEL_EMAIL);
    assert_string_equal(config->alert_manager.routes.items[0].channels.items[0], "mail");
    assert_float_equal(config->alert_manager.routes.items[0].repeat_interval_seconds, 14400, 0);
    assert_string_equal(config->alert_manager.inhibit.items[0].target.items[0].key, "c");
    assert_int_equal(config->alert_manager.mute_windows.items[0].days, 1 << 5 | 1 << 6);
    assert_true(config->alert_manager.mute_windows.items[0].utc);
    config_destroy(config);
}

static void places_are_found(void **state)
{
    static char *const set[] = {"MOONWATCH_CONFIG=/a.json", "RUNTIME_DIRECTORY=/run/x",
                                "STATE_DIRECTORY=/var/y", NULL};
    static char *const odd[] = {"RUNTIME_DIRECTORY=/a:/b", "STATE_DIRECTORY=relative", NULL};

    assert_string_equal(config_find("b.json", set), "b.json");
    assert_string_equal(config_find(NULL, set), "/a.json");
    assert_string_equal(config_runtime_directory(set), "/run/x");
    assert_string_equal(config_state_directory(set), "/var/y");
    assert_string_equal(config_runtime_directory(odd), "/run/moonwatch");
    assert_string_equal(config_state_directory(odd), "/var/lib/moonwatch");
    assert_string_equal(config_state_directory(NULL), "/var/lib/moonwatch");
    config_destroy(NULL);
}

struct pointers {
    size_t count;
    char list[8][64];
};

static void keep_pointer(void *ctx, const char *pointer)
{
    struct pointers *p = ctx;

    assert_true(p->count < 8);
    snprintf(p->list[p->count++], sizeof(p->list[0]), "%s", pointer);
}

static void changes_for_the_next_start_are_named(void **state)
{
    struct config *before = load_default(NULL);
    struct config *after = load_valid(
        "{\"server\":{\"listen\":\"127.0.0.1:1\",\"tls_key_file\":\"/k\","
        "\"tls_certificate_file\":\"/c\",\"log_level\":\"debug\"},"
        "\"health_monitor\":{\"check_interval\":7},\"performance_tracker\":{\"stall_ms\":1},"
        "\"overhead\":{\"budget_percent\":4,\"probes\":{\"tcp\":\"off\"}}}",
        NULL);
    static const char *const expected[] = {
        "/performance_tracker/stall_ms", "/server/listen",           "/server/tls_certificate_file",
        "/server/tls_key_file",          "/overhead/budget_percent", "/overhead/probes/tcp",
    };
    struct pointers p = {0};

    config_changed_at_start(before, before, keep_pointer, &p);
    assert_int_equal(p.count, 0);
    config_changed_at_start(before, after, keep_pointer, &p);
    assert_int_equal(p.count, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < p.count; i++)
        assert_string_equal(p.list[i], expected[i]);
    config_destroy(before);
    config_destroy(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_defaults_are_the_contract),
        cmocka_unit_test(the_checked_in_file_says_the_same),
        cmocka_unit_test(an_empty_object_is_enough),
        cmocka_unit_test(environment_beats_file_beats_default),
        cmocka_unit_test(bad_variables_are_named),
        cmocka_unit_test(short_forms_are_the_warning_levels),
        cmocka_unit_test(null_means_not_given),
        cmocka_unit_test(services_land_whole),
        cmocka_unit_test(a_cgroup_is_kept_in_one_spelling),
        cmocka_unit_test(upstreams_inherit_the_global_breaker),
        cmocka_unit_test(alerting_lands_whole),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(changes_for_the_next_start_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
