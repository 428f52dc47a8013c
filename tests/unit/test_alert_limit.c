/* What keeps pagers quiet and what breaks through: max_alerts_per_hour and its digest, escalation,
 * acknowledgement; and clocks that jump. */
#include "alert_fixture.h"
#include <errno.h>

static struct world w;

static int clean_up(void **state)
{
    world_close(&w);
    return 0;
}

static void open_with(const char *rest)
{
    char text[4096];

    snprintf(
        text, sizeof(text),
        "{\"alert_manager\":{\"cooldown_period\":0,\"flapping_changes\":16,"
        "\"rules\":[" NO_BUILT_IN
        ",{\"name\":\"I\",\"metric\":\"i\",\"above\":0,\"for\":0,\"severity\":\"info\"},"
        "{\"name\":\"A\",\"metric\":\"a\",\"above\":0,\"for\":0},"
        "{\"name\":\"C\",\"metric\":\"c\",\"above\":0,\"for\":0,\"severity\":\"critical\"}],%s}}",
        rest);
    world_open(&w, text);
}

#define OPS                                                                                        \
    "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/"                     \
    "\"},{\"name\":\"boss\",\"type\":\"webhook\",\"url\":\"http://h/\"}],"                         \
    "\"routes\":[{\"channels\":[\"ops\"],\"group_by\":[\"alertname\",\"subject\"],"                \
    "\"group_wait\":0,\"group_interval\":1}]"
#define OPS_AND_BOSS                                                                               \
    "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/"                     \
    "\"},{\"name\":\"boss\",\"type\":\"webhook\",\"url\":\"http://h/\"}],"                         \
    "\"routes\":[{\"channels\":[\"ops\"],\"escalate_to\":[\"boss\"],"                              \
    "\"group_by\":[\"alertname\",\"subject\"],\"group_wait\":0,\"group_interval\":1}]"

static void beyond_the_limit_there_is_one_digest(void **state)
{
    struct alert_counters counters;

    open_with("\"max_alerts_per_hour\":3,\"escalation_delay\":0," OPS);
    static const char *const subjects[] = {"1", "2", "3", "4", "5", "6"};

    for (unsigned i = 0; i < 6; i++) {
        set_metric(&w, "a", subjects[i], 1);
        run_until(&w, 1001 + i);
    }
    /* Another severity has its own limit, and a CRITICAL is never held back. */
    set_metric(&w, "i", NULL, 1);
    set_metric(&w, "c", "x", 1);
    run_until(&w, 1007);
    expect_log(&w, "1001 firing ops +A/1\n1002 firing ops +A/2\n1003 firing* ops +A/3\n"
                   "1007 firing ops +I\n1007 firing ops +C/x\n");
    alert_manager_counters(w.manager, &counters);
    assert_int_equal(counters.held_back, 3);
    /* What was not told is not said to be over; what was told is, and is not counted. */
    set_metric(&w, "a", "1", 0);
    set_metric(&w, "a", "4", 0);
    run_until(&w, 1063);
    expect_log(&w, "1008 resolved ops -A/1\n");
    /* A minute after the first that was held back, not when the hour is over. */
    run_until(&w, 9000);
    expect_log(&w, "1064 digest ops A=3 of 3\n");
}

static void a_digest_counts_an_alert_once(void **state)
{
    open_with("\"max_alerts_per_hour\":1,\"escalation_delay\":0," OPS);
    set_metric(&w, "a", "1", 1);
    run_until(&w, 1001);
    for (unsigned second = 1010; second < 1060; second += 20) {
        set_metric(&w, "a", "2", 1);
        run_until(&w, second);
        set_metric(&w, "a", "2", 0);
        run_until(&w, second + 10);
    }
    run_until(&w, 1080);
    expect_log(&w, "1001 firing* ops +A/1\n1062 digest ops A=1 of 1\n");
    set_metric(&w, "a", "3", 1);
    run_until(&w, 1961);
    expect_log(&w, "");
    run_until(&w, 1962);
    expect_log(&w, "1962 digest ops A=1 of 1\n");
}

/* That it still fires is held back: nobody forgets that it does. */
static void a_repeat_that_is_held_back_ends_nothing(void **state)
{
    open_with("\"max_alerts_per_hour\":1,\"escalation_delay\":200,\"escalation_limit\":1,"
              "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}],"
              "\"routes\":[{\"channels\":[\"ops\"],\"group_wait\":0,\"group_interval\":1,"
              "\"repeat_interval\":100}]");
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1250);
    expect_log(&w, "1001 firing* ops +A\n1161 digest ops A=1 of 1\n1202 escalation ops +A(1,2)\n");
    set_metric(&w, "a", NULL, 0);
    run_until(&w, 1260);
    expect_log(&w, "1251 resolved ops -A\n");
}

static void an_unanswered_alert_is_escalated(void **state)
{
    open_with("\"escalation_delay\":100,\"escalation_limit\":3," OPS_AND_BOSS);
    set_metric(&w, "a", NULL, 1);
    set_metric(&w, "i", NULL, 1); /* INFO wakes nobody */
    run_until(&w, 2000);
    /* Warning (1) becomes error (2), critical (3), and stays that; three steps, then it ends. */
    expect_log(&w, "1001 firing ops +A\n1001 firing ops +I\n1101 escalation boss +A(1,2)\n"
                   "1201 escalation boss +A(2,3)\n1301 escalation boss +A(3,3)\n");
    /* All who were told learn of the end. */
    set_metric(&w, "a", NULL, 0);
    run_until(&w, 2001);
    expect_log(&w, "2001 resolved ops -A\n2001 resolved boss -A\n");
}

static void escalation_needs_no_other_channel(void **state)
{
    open_with("\"escalation_delay\":100,\"escalation_limit\":1,"
              "\"escalation_minimum_severity\":\"info\"," OPS);
    set_metric(&w, "i", NULL, 1);
    run_until(&w, 2000);
    expect_log(&w, "1001 firing ops +I\n1101 escalation ops +I(1,1)\n");
}

static void an_ack_stops_repeats_and_escalation_until_it_expires(void **state)
{
    struct alert_view view;

    open_with("\"escalation_delay\":100,"
              "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}],"
              "\"routes\":[{\"channels\":[\"ops\"],\"group_wait\":0,\"group_interval\":1,"
              "\"repeat_interval\":300}]");
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1050);
    expect_log(&w, "1001 firing ops +A\n");
    assert_true(find_view(&w, "A", "", &view));
    assert_null(view.acked_by);
    assert_int_equal(alert_manager_ack(w.manager, view.id, "me", "looking", 500), 0);
    assert_true(find_view(&w, "A", "", &view));
    assert_string_equal(view.acked_by, "me");
    assert_string_equal(view.ack_comment, "looking");
    run_until(&w, 1549);
    expect_log(&w, "");
    /* Expired: the repeat is overdue, and the clock of escalation begins again. */
    run_until(&w, 1649);
    expect_log(&w, "1550 firing ops +A\n");
    run_until(&w, 1650);
    expect_log(&w, "1650 escalation ops +A(1,2)\n");
    assert_int_equal(alert_manager_ack(w.manager, view.id, "me", NULL, 0), 0);
    run_until(&w, 4000);
    expect_log(&w, "");
    /* A new episode is a new question. */
    set_metric(&w, "a", NULL, 0);
    run_until(&w, 4001);
    assert_int_equal(alert_manager_ack(w.manager, view.id, "me", NULL, 0), -EALREADY);
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 4102);
    expect_log(&w, "4001 resolved ops -A\n4002 firing ops +A\n4102 escalation ops +A(1,2)\n");
}

static void what_gets_worse_breaks_an_ack(void **state)
{
    struct alert_view view;

    open_with("\"escalation_delay\":0," OPS);
    set_check(&w, "cpu", NULL, STATUS_DEGRADED, "r");
    run_until(&w, 1001);
    assert_true(find_view(&w, "HostCpu", "", &view));
    assert_int_equal(alert_manager_ack(w.manager, view.id, "me", NULL, 0), 0);
    set_check(&w, "cpu", NULL, STATUS_UNHEALTHY, "r");
    run_until(&w, 1010);
    expect_log(&w, "1001 firing ops +HostCpu\n1002 firing ops +HostCpu\n");
}

static void unknown_ids_are_refused(void **state)
{
    static const char *const ids[] = {
        "", "1", "0123456789abcdef", "0123456789ABCDEF", "0123456789abcdefa", "../../etc/passwd"};
    struct alert_view view;

    open_with("\"escalation_delay\":0," OPS);
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1001);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(alert_manager_ack(w.manager, ids[i], "me", NULL, 0), -ENOENT);
        assert_false(alert_manager_find(w.manager, ids[i], &view));
    }
}

static void a_silenced_alert_is_not_escalated(void **state)
{
    char id[24], error[160];

    open_with("\"escalation_delay\":100,\"escalation_limit\":1," OPS);
    set_metric(&w, "a", NULL, 1);
    run_until(&w, 1050);
    assert_int_equal(alert_manager_silence(w.manager, "alertname=A", 0,
                                           (WORLD_EPOCH + 1500) * NS_PER_SECOND, "me", "", id,
                                           error),
                     0);
    run_until(&w, 1499);
    expect_log(&w, "1001 firing ops +A\n");
    run_until(&w, 1500);
    expect_log(&w, "1500 escalation ops +A(1,2)\n");
}

/* Real time jumps by a day and back: no duration notices. */
static void jumps(int64_t offset)
{
    open_with("\"escalation_delay\":200,\"escalation_limit\":1,\"max_alerts_per_hour\":2," OPS);
    set_metric(&w, "a", "1", 1);
    run_until(&w, 1100);
    w.realtime_offset = offset;
    set_metric(&w, "a", "2", 1);
    run_until(&w, 1102);
    set_metric(&w, "a", "3", 1);
    run_until(&w, 1300);
    w.realtime_offset = 0;
    run_until(&w, 4700);
    expect_log(&w, "1001 firing ops +A/1\n1101 firing* ops +A/2\n1163 digest ops A=1 of 1\n"
                   "1201 escalation ops +A/1(1,2)\n1301 escalation ops +A/2(1,2)\n");
}

static void a_jump_forwards(void **state)
{
    jumps(86400);
}

static void a_jump_backwards(void **state)
{
    jumps(-86400);
}

/* In suspend monotonic time stands still and real time goes on: a silence ends, a `for` does not
 * run. */
static void suspend_is_no_time_of_trouble(void **state)
{
    char id[24], error[160];

    open_with("\"escalation_delay\":3600," OPS);
    assert_int_equal(alert_manager_silence(w.manager, "alertname=A", 0,
                                           (WORLD_EPOCH + 5000) * NS_PER_SECOND, "me", "", id,
                                           error),
                     0);
    set_metric(&w, "a", NULL, 1);
    set_metric(&w, "c", NULL, 1);
    run_until(&w, 1100);
    expect_log(&w, "1001 firing ops +C\n");
    w.realtime_offset = 40000;
    run_until(&w, 1101);
    expect_log(&w, "1101 firing ops +A\n");
    run_until(&w, 4600);
    expect_log(&w, "");
}

/* The first alerts of two restarted agents would otherwise share their keys. */
static void every_notification_has_its_own_key(void **state)
{
    open_with("\"escalation_delay\":100,\"max_alerts_per_hour\":2," OPS_AND_BOSS);
    set_metric(&w, "a", "1", 1);
    set_metric(&w, "a", "2", 1);
    set_metric(&w, "a", "3", 1);
    run_until(&w, 5000);
    set_metric(&w, "a", "1", 0);
    run_until(&w, 5010);
    set_metric(&w, "a", "1", 1);
    run_until(&w, 9000);
    /* Forgotten, group and all, and there again. */
    set_metric(&w, "a", "1", 0);
    run_until(&w, 20000);
    assert_int_equal(alert_manager_count(w.manager), 2);
    set_metric(&w, "a", "1", 1);
    run_until(&w, 21000);
    assert_in_range(w.key_count, 10, 100);
    for (size_t i = 0; i < w.key_count; i++) {
        assert_true(w.keys[i] != 0);
        for (size_t j = 0; j < i; j++)
            assert_true(w.keys[i] != w.keys[j]);
    }
}

static void nothing_is_sent_when_it_is_off(void **state)
{
    struct alert_view view;

    open_with("\"enabled\":false," OPS);
    set_metric(&w, "c", NULL, 1);
    run_until(&w, 1100);
    assert_true(find_view(&w, "C", "", &view));
    assert_int_equal(view.state, ALERT_FIRING);
    set_metric(&w, "c", NULL, 0);
    run_until(&w, 3000);
    expect_log(&w, "");
    assert_int_equal(alert_manager_count(w.manager), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(beyond_the_limit_there_is_one_digest),
        TEST(a_digest_counts_an_alert_once),
        TEST(a_repeat_that_is_held_back_ends_nothing),
        TEST(an_unanswered_alert_is_escalated),
        TEST(escalation_needs_no_other_channel),
        TEST(an_ack_stops_repeats_and_escalation_until_it_expires),
        TEST(what_gets_worse_breaks_an_ack),
        TEST(unknown_ids_are_refused),
        TEST(a_silenced_alert_is_not_escalated),
        TEST(a_jump_forwards),
        TEST(a_jump_backwards),
        TEST(suspend_is_no_time_of_trouble),
        TEST(every_notification_has_its_own_key),
        TEST(nothing_is_sent_when_it_is_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
