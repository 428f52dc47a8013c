/* One webhook and nothing else configured: the first is told in the tick it happens in, and a storm
 * of a thousand crashes of fifty programs is ten notifications at most, whatever its shape. */
#include "pace_fixture.h"

static void what_is_quiet_is_told_in_its_tick(void **state)
{
    struct happening now = {0};

    open_host("");
    crash(&now, "web", "/system.slice/web.service");
    tick(&now);
    assert_int_equal(h.webhooks, 1);
    /* Another one, of another kind, of a third service. */
    now.count = 0;
    add_event(&now, RULE_EVENT_OOM, "was killed", "db", "/system.slice/db.service");
    h.now_ns += NS_PER_SECOND;
    tick(&now);
    assert_int_equal(h.webhooks, 2);
    now.count = 0;
    crash(&now, "mail", "/system.slice/mail.service");
    h.now_ns += NS_PER_SECOND;
    tick(&now);
    assert_int_equal(h.webhooks, 3);
    /* The first becomes a loop. */
    for (unsigned i = 0; i < 2; i++) {
        now.count = 0;
        crash(&now, "web", "/system.slice/web.service");
        h.now_ns += NS_PER_SECOND;
        tick(&now);
    }
    assert_int_equal(h.webhooks, 4);
}

static void a_storm_is_ten_notifications(void **state)
{
    static const double lengths[] = {1, 3, 10, 20, 30, 45, 60, 90, 120};

    for (unsigned shape = 0; shape < 4 * sizeof(lengths) / sizeof(lengths[0]); shape++) {
        const struct storm storm = {lengths[shape / 4], CRASHES, shape & 1, shape & 2};

        open_host("");
        blow(&storm);
        if (h.webhooks > 10)
            fail_msg("%.0f s, %s, %s: %zu notifications", storm.seconds,
                     storm.in_turn ? "in turn" : "mixed",
                     storm.one_group ? "one user" : "a service each", h.webhooks);
        /* Every CRITICAL is told, and soon. */
        for (unsigned program = 0; program < PROGRAMS; program++)
            assert_true(h.told[program]);
        assert_in_range(h.late_ns, 0, 61 * NS_PER_SECOND);
        close_host(NULL);
    }
    open_host("");
}

/* What has nothing to do with the storm is told at once within it. */
static void a_storm_does_not_delay_what_is_critical(void **state)
{
    static const struct label disk[] = {{"check", "disk"}, {"subject", "/"}};
    const struct storm storm = {20, CRASHES, false, false};
    unsigned crashes[PROGRAMS] = {0};
    struct alert_condition condition = {RULE_STATUS, disk, 2, STATUS_UNHEALTHY, 98, "disk is full"};
    struct alert_input input = {.conditions = &condition, .condition_count = 1};

    open_host("");
    for (unsigned i = 0; i < 500; i++) {
        struct happening now = {0};

        happen(&now, &storm, i, crashes);
        tick(&now);
        h.now_ns += TICK_NS;
    }
    input.monotonic_ns = h.now_ns;
    input.realtime_ns = 1767225600ULL * NS_PER_SECOND + h.now_ns;
    alert_manager_tick(h.manager, &input);
    assert_int_equal(h.last_ns, h.now_ns);
    assert_string_equal(h.last, "disk is full");
}

static void the_log_never_waits(void **state)
{
    struct happening now = {0};

    open_host(",{\"name\":\"log\",\"type\":\"log\"}");
    for (unsigned i = 0; i < PROGRAMS; i++) {
        char comm[16];

        snprintf(comm, sizeof(comm), "p%u", i);
        crash(&now, comm, "/system.slice/x.service");
    }
    tick(&now);
    assert_int_equal(h.logged, PROGRAMS);
    assert_in_range(h.webhooks, 1, 4);
    /* And hears once that it is over. */
    for (unsigned second = 0; second < 310; second++) {
        h.now_ns += NS_PER_SECOND;
        tick(NULL);
    }
    assert_int_equal(h.logged, 2 * PROGRAMS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_host)
    const struct CMUnitTest tests[] = {
        TEST(what_is_quiet_is_told_in_its_tick),
        TEST(a_storm_is_ten_notifications),
        TEST(a_storm_does_not_delay_what_is_critical),
        TEST(the_log_never_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
