/* Who is told what and when: grouping, cooldown, flapping, silences, mute windows, inhibition,
 * escalation. */
#include "alert_fixture.h"
#include <errno.h>

static struct world w;

static int clean_up(void **state)
{
    world_close(&w);
    return 0;
}

/* Two rules, A and B, that fire at once above 0; `rest` are further keys of alert_manager. */
static void open_with(const char *rest)
{
    char text[4096];

    snprintf(
        text, sizeof(text),
        "{\"alert_manager\":{\"rules\":[" NO_BUILT_IN
        ",{\"name\":\"A\",\"metric\":\"a\",\"above\":0,\"for\":0},"
        "{\"name\":\"B\",\"metric\":\"b\",\"above\":0,\"for\":0,\"severity\":\"error\"},"
        "{\"name\":\"C\",\"metric\":\"c\",\"above\":0,\"for\":0,\"severity\":\"critical\"}],%s}}",
        rest);
    world_open(&w, text);
}

#define OPS "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}]"
#define GROUPED(keys) "\"routes\":[{\"channels\":[\"ops\"]," keys "}]"
#define BY_NAME GROUPED("\"group_by\":[\"alertname\"],\"group_wait\":30")
#define CALM "\"cooldown_period\":0,\"flapping_changes\":16,\"escalation_delay\":0,"

static void a_new_group_waits_for_more(void **state)
{
    open_with(CALM OPS "," BY_NAME);
    set_metric(&w, "a", "x", 1);
    run_until(&w, 1020);
    set_metric(&w, "a", "y", 1);
    run_until(&w, 1030); /* x fires since 1001 */
    expect_log(&w, "");
    run_until(&w, 1031);
    expect_log(&w, "1031 firing ops +A/x +A/y\n");
    /* The next of the group waits for the interval of five minutes. */
    run_until(&w, 1100);
    set_metric(&w, "a", "z", 1);
    run_until(&w, 1330);
    expect_log(&w, "");
    run_until(&w, 1331);
    expect_log(&w, "1331 firing ops +A/z\n");
}

static void what_is_resolved_while_the_group_waits_is_not_told(void **state)
{
    open_with(CALM OPS "," BY_NAME);
    set_metric(&w, "a", "x", 1);
    run_until(&w, 1029);
    set_metric(&w, "a", "x", 0);
    run_until(&w, 2000);
    expect_log(&w, "");
    /* Not even when the same group tells of another one. */
    set_metric(&w, "a", "y", 1);
    run_until(&w, 2001);
    set_metric(&w, "a", "x", 1);
    run_until(&w, 2010);
    set_metric(&w, "a", "x", 0);
    run_until(&w, 2100);
    expect_log(&w, "2031 firing ops +A/y\n");
}

static void firing_and_resolved_go_together(void **state)
{
    open_with(CALM OPS "," BY_NAME);
    set_metric(&w, "a", "x", 1);
    run_until(&w, 1031);
    set_metric(&w, "a", "x", 0);
    set_metric(&w, "a", "y", 1);
    run_until(&w, 1331);
    expect_log(&w, "1031 firing ops +A/x\n1331 firing ops +A/y -A/x\n");
    set_metric(&w, "a", "y", 0);
    run_until(&w, 1631);
    expect_log(&w, "1631 resolved ops -A/y\n");
}

static void groups_are_by_route_and_labels(void **state)
{
    open_with(CALM
              "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/"
              "\"},{\"name\":\"db\",\"type\":"
              "\"webhook\",\"url\":\"http://h/\"}],\"routes\":["
              "{\"channels\":[\"db\"],\"matchers\":[\"subject=~\\\"d.*\\\"\"],\"group_wait\":0},"
              "{\"channels\":[\"ops\",\"db\"],\"match\":{\"severity\":\"error\"},"
              "\"group_wait\":0,\"group_by\":[\"subject\"]},"
              "{\"channels\":[\"ops\"],\"match\":{\"alertname\":\"C\"},\"group_wait\":0}]");
    set_metric(&w, "a", "d1", 1);
    set_metric(&w, "b", "d2", 1);
    run_until(&w, 1001);
    /* No group_by: one group. */
    expect_log(&w, "1001 firing db +B/d2 +A/d1\n");
    set_metric(&w, "b", "x", 1);
    run_until(&w, 1002);
    expect_log(&w, "1002 firing ops +B/x\n1002 firing db +B/x\n");
    set_metric(&w, "b", "y", 1);
    run_until(&w, 1003);
    expect_log(&w, "1003 firing ops +B/y\n1003 firing db +B/y\n");
    /* No route wants it. */
    set_metric(&w, "a", "x", 1);
    run_until(&w, 1100);
    expect_log(&w, "");
    struct alert_view view;
    struct alert_counters counters;

    assert_true(find_view(&w, "A", "x", &view));
    assert_int_equal(view.suppressed, SUPPRESSED_UNROUTED);
    alert_manager_counters(w.manager, &counters);
    assert_int_equal(counters.unrouted, 1);
}

static void a_channel_wants_a_minimum_severity(void **state)
{
    open_with(CALM "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/"
                   "\"},{\"name\":\"pager\",\"type\":"
                   "\"webhook\",\"url\":\"http://h/\",\"minimum_severity\":\"critical\"}],"
                   "\"routes\":[{\"channels\":[\"ops\",\"pager\"],\"group_wait\":0,"
                   "\"group_interval\":1}]");
    set_metric(&w, "a", NULL, 1);
    set_metric(&w, "c", NULL, 1);
    run_until(&w, 1001);
    expect_log(&w, "1001 firing ops +C +A\n1001 firing pager +C\n");
    set_metric(&w, "a", NULL, 0);
    set_metric(&w, "c", NULL, 0);
    run_until(&w, 1002);
    /* And is only told of the end of what it was told. */
    expect_log(&w, "1002 resolved ops -C -A\n1002 resolved pager -C\n");
}

static void a_critical_one_does_not_wait_for_the_interval(void **state)
{
    open_with(CALM OPS "," GROUPED("\"group_wait\":5"));
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1006);
    set_metric(&w, "b", NULL, 1);
    run_until(&w, 1007);
    set_metric(&w, "c", NULL, 1);
    run_until(&w, 1012);
    expect_log(&w, "1006 firing ops +A\n");
    run_until(&w, 1013);
    expect_log(&w, "1013 firing ops +C +B\n");
}

static void what_does_not_change_is_repeated(void **state)
{
    open_with(CALM OPS
              "," GROUPED("\"group_wait\":0,\"group_interval\":1,\"repeat_interval\":600"));
    set_metric(&w, "a", "x", 1);
    run_until(&w, 1100);
    set_metric(&w, "a", "y", 1);
    run_until(&w, 1600);
    expect_log(&w, "1001 firing ops +A/x\n1101 firing ops +A/y\n");
    run_until(&w, 2300);
    expect_log(&w, "1601 firing ops +A/x +A/y\n2201 firing ops +A/x +A/y\n");
}

static void what_comes_back_within_the_cooldown_waits(void **state)
{
    struct alert_view view;

    open_with("\"cooldown_period\":300,\"flapping_changes\":16,\"escalation_delay\":0," OPS
              "," GROUPED("\"group_wait\":0,\"group_interval\":1"));
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1010);
    set_metric(&w, "a", NULL, 0);
    run_until(&w, 1020);
    expect_log(&w, "1001 firing ops +A\n1011 resolved ops -A\n");
    /* Gone again before it is told: nothing at all. */
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1030);
    assert_true(find_view(&w, "A", "", &view));
    assert_int_equal(view.suppressed, SUPPRESSED_COOLDOWN);
    set_metric(&w, "a", NULL, 0);
    run_until(&w, 1040);
    /* Still there when the cooldown is over: told then. */
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1300);
    expect_log(&w, "");
    run_until(&w, 1400);
    expect_log(&w, "1301 firing ops +A\n");
    set_metric(&w, "a", NULL, 0);
    run_until(&w, 1700);
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1701);
    expect_log(&w, "1401 resolved ops -A\n1701 firing ops +A\n");
}

static void what_comes_back_worse_does_not_cool_down(void **state)
{
    open_with("\"cooldown_period\":300,\"flapping_changes\":16,\"escalation_delay\":0," OPS
              "," GROUPED("\"group_wait\":0,\"group_interval\":1"));
    set_check(&w, "cpu", NULL, STATUS_DEGRADED, "r");
    run_until(&w, 1001);
    set_check(&w, "cpu", NULL, STATUS_HEALTHY, "r");
    run_until(&w, 1002);
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "r");
    run_until(&w, 1003);
    expect_log(&w, "1001 firing ops +HostCpu\n1002 resolved ops -HostCpu\n"
                   "1003 firing ops +HostCpu\n");
}

static void swing(const char *metric, unsigned from, unsigned until, unsigned half_period)
{
    for (unsigned second = from; second < until; second += half_period) {
        set_metric(&w, metric, NULL, (second - from) / half_period % 2 ? 0 : 1);
        run_until(&w, second + half_period > until ? until : second + half_period);
    }
}

static void flapping_is_told_once_and_then_silence(void **state)
{
    struct alert_view view;

    open_with("\"cooldown_period\":0,\"flapping_changes\":4,\"flapping_window\":100,"
              "\"escalation_delay\":0," OPS "," GROUPED("\"group_wait\":0,\"group_interval\":1"));
    /* Fires at 1001, 1021, ..., is resolved at 1011, 1031, ...; the fourth change is at 1031. */
    swing("a", 1000, 1500, 10);
    expect_log(&w, "1001 firing ops +A\n1011 resolved ops -A\n1021 firing ops +A\n"
                   "1031 flapping ops -A\n");
    assert_true(find_view(&w, "A", "", &view));
    assert_true(view.flapping);
    assert_int_equal(view.suppressed, SUPPRESSED_FLAPPING);
    /* It was resolved last at 1491 and is stable for 100 s. */
    run_until(&w, 1590);
    expect_log(&w, "");
    run_until(&w, 1591);
    expect_log(&w, "1591 resolved ops -A\n");
    assert_true(find_view(&w, "A", "", &view));
    assert_false(view.flapping);
}

static void flapping_that_ends_firing_is_told_as_firing(void **state)
{
    open_with("\"cooldown_period\":0,\"flapping_changes\":4,\"flapping_window\":100,"
              "\"escalation_delay\":0," OPS "," GROUPED("\"group_wait\":0,\"group_interval\":1"));
    swing("a", 1000, 1090, 10); /* fires since 1081 */
    run_until(&w, 1180);
    expect_log(&w, "1001 firing ops +A\n1011 resolved ops -A\n1021 firing ops +A\n"
                   "1031 flapping ops -A\n");
    run_until(&w, 1181);
    expect_log(&w, "1181 firing ops +A\n");
}

static void slow_changes_do_not_flap(void **state)
{
    struct alert_counters counters;

    open_with("\"cooldown_period\":0,\"flapping_changes\":4,\"flapping_window\":100,"
              "\"escalation_delay\":0,\"max_alerts_per_hour\":100," OPS
              "," GROUPED("\"group_wait\":0,\"group_interval\":1"));
    swing("a", 1000, 2000, 34); /* four changes take 102 s */
    alert_manager_counters(w.manager, &counters);
    assert_int_equal(counters.flapping, 0);
    assert_int_equal(counters.notifications[NOTICE_FIRING], 15);
}

static void a_silence_holds_for_its_time(void **state)
{
    char id[24], error[160];
    struct silence_view silence;
    struct alert_view view;
    uint64_t start = (WORLD_EPOCH + 1010) * NS_PER_SECOND;

    open_with(CALM OPS "," GROUPED("\"group_wait\":0,\"group_interval\":1"));
    run_until(&w, 1001);
    assert_int_equal(alert_manager_silence(w.manager, "subject=~\"x|y\"", start,
                                           start + 100 * NS_PER_SECOND, "me", "maintenance", id,
                                           error),
                     0);
    set_metric(&w, "a", "x", 1);
    run_until(&w, 1005);
    expect_log(&w, "1002 firing ops +A/x\n");
    run_until(&w, 1020);
    set_metric(&w, "a", "x", 0); /* told later that it is over */
    set_metric(&w, "a", "y", 1);
    set_metric(&w, "a", "z", 1);
    run_until(&w, 1109);
    expect_log(&w, "1021 firing ops +A/z\n");
    assert_true(find_view(&w, "A", "y", &view));
    assert_int_equal(view.suppressed, SUPPRESSED_SILENCE);
    assert_int_equal(alert_manager_silence_count(w.manager), 1);
    alert_manager_silence_at(w.manager, 0, &silence);
    assert_string_equal(silence.id, id);
    assert_string_equal(silence.matchers, "{subject=~\"x|y\"}");
    assert_string_equal(silence.creator, "me");
    assert_true(silence.active);
    run_until(&w, 1110);
    expect_log(&w, "1110 firing ops +A/y -A/x\n");
    assert_int_equal(alert_manager_silence_count(w.manager), 0);
}

static void a_silence_can_be_taken_back(void **state)
{
    char id[24], error[160];
    uint64_t start = WORLD_EPOCH * NS_PER_SECOND;

    open_with(CALM OPS "," GROUPED("\"group_wait\":0,\"group_interval\":1"));
    assert_int_equal(alert_manager_silence(w.manager, "alertname=A", start,
                                           start + 100000 * NS_PER_SECOND, "me", NULL, id, error),
                     0);
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1010);
    expect_log(&w, "");
    assert_int_equal(alert_manager_unsilence(w.manager, "s99"), -ENOENT);
    assert_int_equal(alert_manager_unsilence(w.manager, id), 0);
    assert_int_equal(alert_manager_unsilence(w.manager, id), -ENOENT);
    run_until(&w, 1011);
    expect_log(&w, "1011 firing ops +A\n");
}

static void bad_silences_are_refused(void **state)
{
    static const struct {
        const char *matchers;
        int64_t start, end;
        const char *error;
    } cases[] = {
        {"alertname", 0, 9000, "no operator"},  {"a=~\".*\"", 0, 9000, "nearly everything"},
        {"a!=b", 0, 9000, "nearly everything"}, {"a=b", 9000, 9000, "ends before it begins"},
        {"a=b", 0, 1000, "in the past"},
    };
    char id[24], error[160];

    open_with(CALM OPS);
    run_until(&w, 1001);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            alert_manager_silence(w.manager, cases[i].matchers,
                                  (WORLD_EPOCH + (uint64_t)cases[i].start) * NS_PER_SECOND,
                                  (WORLD_EPOCH + (uint64_t)cases[i].end) * NS_PER_SECOND, "me", "",
                                  id, error),
            -EINVAL);
        if (!strstr(error, cases[i].error))
            fail_msg("%s: %s", cases[i].matchers, error);
    }
    for (size_t i = 0; i < SILENCES_MAX; i++)
        assert_int_equal(alert_manager_silence(w.manager, "a=b", 0, UINT64_MAX, "", "", id, error),
                         0);
    assert_int_equal(alert_manager_silence(w.manager, "a=b", 0, UINT64_MAX, "", "", id, error),
                     -ENOSPC);
}

static void an_inhibited_alert_waits_for_its_source(void **state)
{
    open_with(CALM OPS "," GROUPED(
        "\"group_wait\":0,\"group_interval\":1") ","
                                                 "\"inhibit\":[{\"source_matchers\":[\"severity=~"
                                                 "\\\"error|critical\\\"\"],"
                                                 "\"target\":{\"severity\":\"warning\"},\"equal\":["
                                                 "\"subject\"]}]");
    set_metric(&w, "b", "x", 1);
    set_metric(&w, "a", "x", 1);
    set_metric(&w, "a", "y", 1);
    run_until(&w, 1010);
    expect_log(&w, "1001 firing ops +B/x +A/y\n");
    set_metric(&w, "b", "x", 0);
    run_until(&w, 1011);
    expect_log(&w, "1011 firing ops +A/x -B/x\n");
}

static void an_alert_does_not_inhibit_itself(void **state)
{
    open_with(CALM OPS "," GROUPED(
        "\"group_wait\":0,\"group_interval\":1") ","
                                                 "\"inhibit\":[{\"source_matchers\":[\"alertname=~"
                                                 "\\\"A|B\\\"\"],"
                                                 "\"target_matchers\":[\"alertname=~\\\"A|C\\\"\"]}"
                                                 "]");
    set_metric(&w, "a", NULL, 1);
    set_metric(&w, "c", NULL, 1);
    run_until(&w, 1010);
    expect_log(&w, "1001 firing ops +A\n");
}

/* The epoch is a Thursday, 00:00 UTC: 01:00 in Berlin, 19:00 on Wednesday in New York. */
static void mute_windows_follow_their_zone(void **state)
{
    static const struct {
        const char *window;
        unsigned told_at; /* seconds after the epoch; 1001 when it does not apply */
    } cases[] = {
        {"\"start\":\"00:00\",\"end\":\"01:00\"", 3600},
        {"\"start\":\"00:00\",\"end\":\"01:00\",\"days\":[\"thu\"]", 3600},
        {"\"start\":\"00:00\",\"end\":\"01:00\",\"days\":[\"wed\",\"fri\"]", 1001},
        {"\"start\":\"00:30\",\"end\":\"01:30\",\"time_zone\":\"Europe/Berlin\"", 1800},
        {"\"start\":\"18:00\",\"end\":\"19:45\",\"time_zone\":\"America/New_York\","
         "\"days\":[\"wed\"]",
         2700},
        {"\"start\":\"18:00\",\"end\":\"19:45\",\"time_zone\":\"America/New_York\","
         "\"days\":[\"thu\"]",
         1001},
        {"\"start\":\"00:00\",\"end\":\"24:00\",\"time_zone\":\"Etc/GMT+1\",\"days\":[\"wed\"]",
         3600},
        {"\"start\":\"00:00\",\"end\":\"24:00\",\"days\":[\"wed\",\"fri\"]", 1001},
        {"\"start\":\"22:00\",\"end\":\"00:20\"", 1200},
        {"\"start\":\"22:00\",\"end\":\"00:20\",\"days\":[\"wed\"]", 1200},
        {"\"start\":\"22:00\",\"end\":\"00:20\",\"days\":[\"thu\"]", 1001},
        {"\"start\":\"00:00\",\"end\":\"01:00\",\"match\":{\"severity\":\"error\"}", 1001},
        {"\"start\":\"00:00\",\"end\":\"01:00\",\"matchers\":[\"alertname!=B\"]", 3600},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char rest[1024], expected[64];

        snprintf(rest, sizeof(rest),
                 CALM OPS "," GROUPED("\"group_wait\":0") ",\"mute_windows\":[{\"name\":\"n\",%s}]",
                 cases[i].window);
        open_with(rest);
        set_metric(&w, "a", NULL, 1);
        run_until(&w, 4000);
        snprintf(expected, sizeof(expected), "%u firing ops +A\n", cases[i].told_at);
        if (strcmp(w.log.data ? w.log.data : "", expected) != 0)
            fail_msg("%s: %s", cases[i].window, w.log.data);
        if (i + 1 < sizeof(cases) / sizeof(cases[0]))
            world_close(&w);
    }
}

/* 2026-03-29 01:00 UTC: 02:00 becomes 03:00 in Berlin. A window from 01:00 to 04:00 there is two
 * hours long. */
static void mute_windows_follow_daylight_saving(void **state)
{
    open_with(CALM OPS "," GROUPED("\"group_wait\":0") ",\"mute_windows\":[{\"name\":\"n\","
                                                       "\"start\":\"01:00\",\"end\":\"04:00\","
                                                       "\"time_zone\":\"Europe/Berlin\"}]");
    w.realtime_offset = (int64_t)(1774742400ULL - WORLD_EPOCH) - 1000; /* 00:00 UTC, 01:00 there */
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1000 + 3 * 3600);
    expect_log(&w, "8200 firing ops +A\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(a_new_group_waits_for_more),
        TEST(what_is_resolved_while_the_group_waits_is_not_told),
        TEST(firing_and_resolved_go_together),
        TEST(groups_are_by_route_and_labels),
        TEST(a_channel_wants_a_minimum_severity),
        TEST(a_critical_one_does_not_wait_for_the_interval),
        TEST(what_does_not_change_is_repeated),
        TEST(what_comes_back_within_the_cooldown_waits),
        TEST(what_comes_back_worse_does_not_cool_down),
        TEST(flapping_is_told_once_and_then_silence),
        TEST(flapping_that_ends_firing_is_told_as_firing),
        TEST(slow_changes_do_not_flap),
        TEST(a_silence_holds_for_its_time),
        TEST(a_silence_can_be_taken_back),
        TEST(bad_silences_are_refused),
        TEST(an_inhibited_alert_waits_for_its_source),
        TEST(an_alert_does_not_inhibit_itself),
        TEST(mute_windows_follow_their_zone),
        TEST(mute_windows_follow_daylight_saving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
