/* The life of an alert: pending, firing, kept, resolved, and what is known about it. */
#include "alert_fixture.h"
#include "facts/alert_check.h"
#include <errno.h>

static struct world w;

static int clean_up(void **state)
{
    world_close(&w);
    return 0;
}

static void open_rule(const char *rule)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{" AT_ONCE "\"cooldown_period\":0,\"flapping_changes\":16,"
             "\"rules\":[" NO_BUILT_IN ",%s]}}",
             rule);
    world_open(&w, text);
}

static void fires_when_it_has_lasted(void **state)
{
    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":60}");
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1060); /* active since 1001 */
    expect_log(&w, "");
    run_until(&w, 1061);
    expect_log(&w, "1061 firing ops +A\n");
    run_until(&w, 1200);
    expect_log(&w, "");
    set_metric(&w, "m", NULL, 5);
    run_until(&w, 1201);
    expect_log(&w, "1201 resolved ops -A\n");
}

static void a_dip_starts_the_wait_again(void **state)
{
    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":60}");
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1060);
    set_metric(&w, "m", NULL, 4);
    run_until(&w, 1061);
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1121); /* active again since 1062 */
    expect_log(&w, "");
    run_until(&w, 1122);
    expect_log(&w, "1122 firing ops +A\n");
}

static void between_level_and_clear_it_stays_as_it_is(void **state)
{
    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":90,\"clear\":80,\"for\":0}");
    set_metric(&w, "m", NULL, 85);
    run_until(&w, 1010);
    set_metric(&w, "m", NULL, 91);
    run_until(&w, 1011);
    set_metric(&w, "m", NULL, 81);
    run_until(&w, 1100);
    expect_log(&w, "1011 firing ops +A\n");
    set_metric(&w, "m", NULL, 80);
    run_until(&w, 1101);
    set_metric(&w, "m", NULL, 85);
    run_until(&w, 1150);
    expect_log(&w, "1101 resolved ops -A\n");
}

static void a_pending_alert_is_not_kept_by_the_clear_level(void **state)
{
    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":90,\"clear\":80,\"for\":10}");
    set_metric(&w, "m", NULL, 91);
    run_until(&w, 1005);
    set_metric(&w, "m", NULL, 85);
    run_until(&w, 1100);
    expect_log(&w, "");
}

static void goes_on_firing_for_a_while(void **state)
{
    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":0,\"keep_firing_for\":30}");
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1010);
    set_metric(&w, "m", NULL, 1);
    run_until(&w, 1039);
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1040);
    set_metric(&w, "m", NULL, 1);
    run_until(&w, 1069);
    expect_log(&w, "1001 firing ops +A\n");
    run_until(&w, 1070);
    expect_log(&w, "1070 resolved ops -A\n");
}

static void a_series_that_is_unknown_changes_nothing_for_five_minutes(void **state)
{
    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":60}");
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1010);
    set_metric(&w, "m", NULL, NAN);
    run_until(&w, 1200);
    expect_log(&w, "");
    /* It had been active all the time, as far as is known. */
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1201);
    expect_log(&w, "1201 firing ops +A\n");
    drop_inputs(&w);
    run_until(&w, 1500);
    expect_log(&w, "");
    run_until(&w, 1501);
    expect_log(&w, "1501 resolved ops -A\n");
}

static void each_series_is_an_alert(void **state)
{
    struct alert_view a, b;

    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"below\":5,\"for\":0,\"match\":{},"
              "\"matchers\":[\"subject!=\\\"c\\\"\"],\"labels\":{\"team\":\"db\"}}");
    set_metric(&w, "m", "a", 1);
    set_metric(&w, "m", "b", 2);
    set_metric(&w, "m", "c", 3);
    set_metric(&w, "m", "d", 5);
    run_until(&w, 1001);
    assert_int_equal(alert_manager_count(w.manager), 2);
    assert_true(find_view(&w, "A", "a", &a));
    assert_true(find_view(&w, "A", "b", &b));
    assert_string_equal(labels_get(a.labels, "team"), "db");
    assert_string_not_equal(a.id, b.id);
    assert_float_equal(b.value, 2, 0);
}

static void an_event_fires_at_once_and_for_its_time(void **state)
{
    open_rule("{\"name\":\"A\",\"kind\":\"event\",\"event\":\"stall\",\"keep_firing_for\":60}");
    run_until(&w, 1005);
    add_event(&w, "stall", "x", "pid 7");
    run_until(&w, 1030);
    add_event(&w, "stall", "x", "pid 8");
    run_until(&w, 1090);
    expect_log(&w, "1006 firing ops +A/x\n");
    run_until(&w, 1091);
    expect_log(&w, "1091 resolved ops -A/x\n");
}

static void so_many_events_within_a_time(void **state)
{
    open_rule("{\"name\":\"A\",\"kind\":\"event\",\"event\":\"stall\",\"count\":3,\"within\":10}");
    for (unsigned second = 1001; second <= 1011; second += 5) {
        if (second > 1001)
            run_until(&w, second - 1);
        add_event(&w, "stall", "x", NULL);
        add_event(&w, "stall", "y", NULL);
        add_event(&w, "oom", "x", NULL);
        run_until(&w, second);
    }
    /* The first is ten seconds ago: two are left. */
    expect_log(&w, "1001 firing ops +OomKill/x\n");
    add_event(&w, "stall", "x", NULL);
    run_until(&w, 1013);
    expect_log(&w, "1012 firing ops +A/x\n");
    /* Those that never fired are forgotten, also those of the built-in rule of stalls. */
    run_until(&w, 1080);
    assert_int_equal(alert_manager_count(w.manager), 2);
}

static void an_unhealthy_check_is_told_again_as_critical(void **state)
{
    struct alert_view view;

    open_rule("{\"name\":\"B\",\"metric\":\"m\",\"above\":5}");
    set_check(&w, "cpu", NULL, STATUS_DEGRADED, "CPU 75 %");
    run_until(&w, 1010);
    expect_log(&w, "1001 firing ops +HostCpu\n");
    assert_true(find_view(&w, "HostCpu", "", &view));
    assert_int_equal(view.severity, SEVERITY_WARNING);
    assert_string_equal(view.summary, "CPU 75 %");
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "CPU 95 %");
    run_until(&w, 1020);
    expect_log(&w, "1011 firing ops +HostCpu\n");
    assert_true(find_view(&w, "HostCpu", "", &view));
    assert_int_equal(view.severity, SEVERITY_CRITICAL);
    assert_string_equal(view.reason, "CPU 95 %");
    /* Better but not well, and worse again: there is no cooldown to be waited for. */
    set_check(&w, "cpu", NULL, STATUS_DEGRADED, "CPU 75 %");
    run_until(&w, 1030);
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "CPU 96 %");
    run_until(&w, 1040);
    set_check(&w, "cpu", NULL, STATUS_UNKNOWN, NULL);
    run_until(&w, 1050);
    expect_log(&w, "1031 firing ops +HostCpu\n");
    set_check(&w, "cpu", NULL, STATUS_HEALTHY, NULL);
    run_until(&w, 1051);
    expect_log(&w, "1051 resolved ops -HostCpu\n");
}

static void an_absent_metric_fires(void **state)
{
    open_rule("{\"name\":\"A\",\"kind\":\"absent\",\"metric\":\"m\",\"for\":10,"
              "\"match\":{\"subject\":\"a\"}}");
    set_metric(&w, "m", "a", 1);
    set_metric(&w, "m", "b", 1);
    run_until(&w, 1010);
    set_metric(&w, "m", "a", NAN);
    run_until(&w, 1020);
    expect_log(&w, "");
    run_until(&w, 1021);
    expect_log(&w, "1021 firing ops +A/a\n");
    set_metric(&w, "m", "a", 0);
    run_until(&w, 1022);
    expect_log(&w, "1022 resolved ops -A/a\n");
}

static void says_who_and_what_changed(void **state)
{
    struct alert_view view;

    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":0,"
              "\"summary\":\"{{ $labels.subject }} at {{ $value }}, {{ $labels.severity }}\"}");
    run_until(&w, 1010);
    alert_manager_note_change(w.manager, "configuration reloaded");
    run_until(&w, 1020);
    set_metric(&w, "m", "x", 7.5);
    run_until(&w, 1030);
    set_metric(&w, "m", "x", 9);
    set_metric(&w, "m", "y", 8);
    run_until(&w, 1040);
    assert_true(find_view(&w, "A", "x", &view));
    assert_string_equal(view.summary, "x at 7.5, warning");
    assert_float_equal(view.value, 9, 0);
    assert_string_equal(view.offenders, "behind A");
    assert_string_equal(view.changed, "11 s before: configuration reloaded");
    assert_int_equal(view.starts_realtime_ns / NS_PER_SECOND, WORLD_EPOCH + 1021);
    assert_true(find_view(&w, "A", "y", &view));
    assert_string_equal(view.changed,
                        "10 s before: A (subject x) began to fire; 21 s before: configuration "
                        "reloaded");
}

static void a_resolved_alert_is_forgotten_after_the_flapping_window(void **state)
{
    struct alert_view view;

    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":0}");
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1001);
    set_metric(&w, "m", NULL, 1);
    run_until(&w, 1002 + 1799);
    assert_true(find_view(&w, "A", "", &view));
    assert_int_equal(view.state, ALERT_RESOLVED);
    assert_int_equal(view.ends_realtime_ns / NS_PER_SECOND, WORLD_EPOCH + 1002);
    run_until(&w, 1002 + 1800);
    assert_int_equal(alert_manager_count(w.manager), 0);
}

static void a_rule_that_is_gone_resolves_its_alerts(void **state)
{
    struct config_errors errors = {0};
    struct config *other;

    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":0}");
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1010);
    other = load_valid(
        "{\"alert_manager\":{\"channels\":[{\"name\":\"x\",\"type\":\"webhook\",\"url\":\"http://h/"
        "\"},"
        "{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}],\"rules\":[" NO_BUILT_IN
        "]}}",
        NULL);
    assert_int_equal(alert_manager_stage(w.manager, other, &errors), 0);
    alert_manager_commit(w.manager);
    config_destroy(w.config);
    w.config = other;
    run_until(&w, 1021);
    /* The channel that was told, though it stands elsewhere in the list now. */
    expect_log(&w, "1001 firing ops +A\n1021 resolved ops -A\n");
}

static void a_bad_configuration_leaves_the_old_one(void **state)
{
    struct config_errors errors = {0};
    struct config *bad =
        load_valid("{\"alert_manager\":{\"channels\":[{\"name\":\"x\",\"type\":"
                   "\"webhook\",\"url\":\"http://h/\"}],\"routes\":[{\"channels\":[\"x\"],"
                   "\"matchers\":[\"a=b\",\"(\"]}]}}",
                   NULL);

    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":0}");
    assert_int_equal(facts_alert_check(bad, &errors), -EINVAL);
    assert_string_equal(errors.list[0].pointer, "/alert_manager/routes/0/matchers/1");
    assert_int_equal(alert_manager_stage(w.manager, bad, &errors), -EINVAL);
    config_destroy(bad);
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1001);
    expect_log(&w, "1001 firing ops +A\n");
}

static void only_wanted_metrics_need_samples(void **state)
{
    open_rule("{\"name\":\"A\",\"metric\":\"m\",\"above\":5}");
    assert_true(alert_manager_wants(w.manager, "m"));
    assert_true(alert_manager_wants(w.manager, "moonwatch_loop_lag_seconds"));
    assert_false(alert_manager_wants(w.manager, "moonwatch_load1"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(fires_when_it_has_lasted),
        TEST(a_dip_starts_the_wait_again),
        TEST(between_level_and_clear_it_stays_as_it_is),
        TEST(a_pending_alert_is_not_kept_by_the_clear_level),
        TEST(goes_on_firing_for_a_while),
        TEST(a_series_that_is_unknown_changes_nothing_for_five_minutes),
        TEST(each_series_is_an_alert),
        TEST(an_event_fires_at_once_and_for_its_time),
        TEST(so_many_events_within_a_time),
        TEST(an_unhealthy_check_is_told_again_as_critical),
        TEST(an_absent_metric_fires),
        TEST(says_who_and_what_changed),
        TEST(a_resolved_alert_is_forgotten_after_the_flapping_window),
        TEST(a_rule_that_is_gone_resolves_its_alerts),
        TEST(a_bad_configuration_leaves_the_old_one),
        TEST(only_wanted_metrics_need_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
