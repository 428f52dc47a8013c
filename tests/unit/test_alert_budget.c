/* That noise of one kind takes nothing from what matters more, or comes from elsewhere, and that an
 * alert nobody was told of always says why. */
#include "alert_fixture.h"

static struct world w;

static int clean_up(void **state)
{
    world_close(&w);
    return 0;
}

#define HOOK(name) "{\"name\":\"" name "\",\"type\":\"webhook\",\"url\":\"http://127.0.0.1:9/\"}"
#define OPS                                                                                        \
    "\"channels\":[" HOOK("ops") "],\"routes\":[{\"channels\":[\"ops\"],"                          \
                                 "\"group_by\":[\"alertname\",\"cgroup\",\"subject\"],\"group_"    \
                                 "wait\":0,\"group_interval\":1}]"

static void open_with(const char *rest)
{
    char text[4096];

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"escalation_delay\":0,\"rules\":[" NO_BUILT_IN
             ",{\"name\":\"A\",\"metric\":\"a\",\"above\":0,\"for\":0},"
             "{\"name\":\"C\",\"metric\":\"c\",\"above\":0,\"for\":0,\"severity\":\"critical\"},"
             "{\"name\":\"Crash\",\"kind\":\"event\",\"event\":\"crash\"}],%s}}",
             rest);
    world_open(&w, text);
}

static const char *shown(const char *name, const char *subject)
{
    struct alert_view view;

    assert_true(find_view(&w, name, subject, &view));
    return suppression_text(view.suppressed);
}

static void warnings_take_nothing_from_an_error(void **state)
{
    static const char *const subjects[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"};

    open_with("\"cooldown_period\":0," OPS);
    for (size_t i = 0; i < 11; i++)
        set_metric(&w, "a", subjects[i], 1);
    run_until(&w, 1001);
    text_reset(&w.log);
    assert_string_equal(shown("A", "1"), "");
    add_event(&w, "oom", "db", "db was killed");
    run_until(&w, 1002);
    expect_log(&w, "1002 firing ops +OomKill/db\n");
}

static void crash_in(const char *cgroup, const char *comm)
{
    add_event(&w, "crash", comm, "crashed");
    w.events[w.event_count - 1].cgroup = cgroup;
}

static void one_source_leaves_half_to_the_others(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                        "i", "j", "k", "l", "m", "n", "o"};
    struct alert_counters counters;

    open_with("\"cooldown_period\":0," OPS);
    /* A user has as many cgroups as he likes. */
    for (size_t i = 0; i < 15; i++) {
        crash_in(i % 2 ? "/user.slice/user-65534.slice/session-1.scope"
                       : "/user.slice/user-65534.slice/user@65534.service/x",
                 names[i]);
        run_until(&w, 1001 + (unsigned)i);
    }
    alert_manager_counters(w.manager, &counters);
    assert_int_equal(counters.notifications[NOTICE_FIRING], 5);
    text_reset(&w.log);
    crash_in("/system.slice/db.service", "db");
    run_until(&w, 1020);
    expect_log(&w, "1016 firing ops +Crash/db\n");
    assert_string_equal(shown("Crash", "o"), "max_alerts_per_hour");
    run_until(&w, 1100);
    assert_string_equal(shown("Crash", "o"), "");
}

/* Fires and is over every ten seconds until it flaps: the fourth change is at 1031. */
static void flap(void)
{
    for (unsigned second = 1000; second < 1060; second += 10) {
        set_check(&w, "cpu", NULL, (second / 10) % 2 ? STATUS_HEALTHY : STATUS_DEGRADED, "75 %");
        run_until(&w, second + 10);
    }
    expect_log(&w, "1001 firing ops +HostCpu\n1011 resolved ops -HostCpu\n"
                   "1021 firing ops +HostCpu\n1031 flapping ops -HostCpu\n");
    assert_string_equal(shown("HostCpu", ""), "flapping");
}

#define FLAPS "\"cooldown_period\":30,\"flapping_changes\":4,\"flapping_window\":100,"

/* That it flaps is held back, not that what was told is over. */
static void what_was_told_is_over_whatever_was_held_back(void **state)
{
    open_with(
        "\"cooldown_period\":0,\"flapping_changes\":4,\"flapping_window\":100,"
        "\"max_alerts_per_hour\":1,\"channels\":[" HOOK(
            "ops") "],"
                   "\"routes\":[{\"channels\":[\"ops\"],\"group_wait\":0,\"group_interval\":90}]");
    for (unsigned second = 1000; second < 1040; second += 10) {
        set_check(&w, "cpu", NULL, (second / 10) % 2 ? STATUS_HEALTHY : STATUS_DEGRADED, "75 %");
        run_until(&w, second + 10);
    }
    run_until(&w, 3000);
    expect_log(&w, "1001 firing* ops +HostCpu\n1131 resolved ops -HostCpu\n"
                   "1151 digest ops HostCpu=1 of 1\n");
}

static void a_rise_to_critical_breaks_flapping(void **state)
{
    open_with("\"cooldown_period\":0,\"flapping_changes\":4,\"flapping_window\":100," OPS);
    flap();
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "98 %");
    run_until(&w, 1062);
    expect_log(&w, "1061 firing ops +HostCpu\n");
    assert_string_equal(shown("HostCpu", ""), "");
    /* That it is over is said when it is stable. */
    set_check(&w, "cpu", NULL, STATUS_HEALTHY, NULL);
    run_until(&w, 1162);
    expect_log(&w, "");
    run_until(&w, 1163);
    expect_log(&w, "1163 resolved ops -HostCpu\n");
}

static void a_critical_that_flaps_is_told_after_a_cooldown(void **state)
{
    open_with(FLAPS OPS);
    for (unsigned second = 1000; second < 1100; second += 10) {
        set_metric(&w, "c", NULL, (second / 10) % 2 ? 0 : 1);
        run_until(&w, second + 10);
    }
    /* No cooldown keeps it back before it flaps either. */
    expect_log(&w, "1001 firing ops +C\n1011 resolved ops -C\n1021 firing ops +C\n"
                   "1031 flapping ops -C\n1061 firing ops +C\n");
    /* Nobody was told that it is over meanwhile. */
    set_metric(&w, "c", NULL, 1);
    run_until(&w, 1110);
    expect_log(&w, "");
    assert_string_equal(shown("C", ""), "");
}

static void what_got_better_for_a_cooldown_and_worse_again_is_told(void **state)
{
    open_with(FLAPS OPS);
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "98 %");
    run_until(&w, 1001);
    set_check(&w, "cpu", NULL, STATUS_DEGRADED, "75 %");
    run_until(&w, 1020);
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "98 %");
    run_until(&w, 1030);
    expect_log(&w, "1001 firing ops +HostCpu\n");
    set_check(&w, "cpu", NULL, STATUS_DEGRADED, "75 %");
    run_until(&w, 1065);
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "98 %");
    run_until(&w, 1070);
    expect_log(&w, "1066 firing ops +HostCpu\n");
}

static void a_rise_is_told_beyond_the_limit_and_within_the_interval(void **state)
{
    open_with("\"max_alerts_per_hour\":1,\"channels\":[" HOOK(
        "ops") "],\"routes\":[{\"channels\":[\"ops\"],\"group_wait\":0}]");
    set_check(&w, "cpu", NULL, STATUS_DEGRADED, "75 %");
    run_until(&w, 1001);
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "98 %");
    run_until(&w, 1002);
    expect_log(&w, "1001 firing* ops +HostCpu\n1002 firing ops +HostCpu\n");
}

static void what_nobody_is_told_of_says_why(void **state)
{
    static const struct {
        const char *rest, *why;
    } cases[] = {
        {"\"enabled\":false," OPS, "notifications_off"},
        {"\"channels\":[" HOOK("ops") "],\"routes\":[{\"channels\":[\"ops\"],\"group_wait\":9}]",
         "group_wait"},
        {"\"channels\":[" HOOK("ops") "],\"routes\":[{\"channels\":[\"ops\"],"
                                      "\"match\":{\"alertname\":\"B\"}}]",
         "unrouted"},
        {"\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://127.0.0.1:9/\","
         "\"minimum_severity\":\"critical\"}]",
         "no_channel"},
        {"\"inhibit\":[{\"source\":{\"alertname\":\"C\"},\"target\":{\"alertname\":\"A\"}}]," OPS,
         "inhibited"},
        {OPS, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_with(cases[i].rest);
        set_metric(&w, "a", NULL, 1);
        set_metric(&w, "c", NULL, 1);
        run_until(&w, 1001);
        assert_string_equal(shown("A", ""), cases[i].why);
        if (i + 1 < sizeof(cases) / sizeof(cases[0]))
            world_close(&w);
    }
}

static void what_no_receiver_has_says_so(void **state)
{
    open_with(OPS);
    set_metric(&w, "a", NULL, 1);
    w.receivers_fail = true;
    run_until(&w, 1010);
    assert_string_equal(shown("A", ""), "not_delivered");
    w.receivers_fail = false;
    assert_string_equal(shown("A", ""), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(warnings_take_nothing_from_an_error),
        TEST(one_source_leaves_half_to_the_others),
        TEST(what_was_told_is_over_whatever_was_held_back),
        TEST(a_rise_to_critical_breaks_flapping),
        TEST(a_critical_that_flaps_is_told_after_a_cooldown),
        TEST(what_got_better_for_a_cooldown_and_worse_again_is_told),
        TEST(a_rise_is_told_beyond_the_limit_and_within_the_interval),
        TEST(what_nobody_is_told_of_says_why),
        TEST(what_no_receiver_has_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
