/* A storm may last for an hour: ten notifications in ten minutes at most, nothing hidden, and what
 * has another cause is told at once. A restart in the middle is no new storm. */
#include "pace_fixture.h"

#define TEN_MINUTES_NS (600 * NS_PER_SECOND)
#define SHAPES 8

static const double lengths[] = {3600, 1200, 600, 300, 180, 60};

/* As many crashes as ever, or as many a minute. */
static struct storm storm_of(double seconds, unsigned shape)
{
    return (struct storm){seconds, shape & 4 ? (unsigned)(seconds / 60) * CRASHES : CRASHES,
                          shape & 1, shape & 2};
}

static size_t most_in_ten_minutes(void)
{
    size_t most = 0, first = 0;

    for (size_t last = 0; last < h.webhooks; last++) {
        while (h.at_ns[last] - h.at_ns[first] >= TEN_MINUTES_NS)
            first++;
        if (last - first + 1 > most)
            most = last - first + 1;
    }
    return most;
}

static void expect_few(const struct storm *storm)
{
    size_t most = most_in_ten_minutes(), later = 0;

    for (size_t i = 0; i < h.webhooks; i++)
        later += h.at_ns[i] - h.at_ns[0] >= TEN_MINUTES_NS;
    if (most > 10 || later > (storm->seconds + SETTLED_SECONDS) / 120)
        fail_msg("%.0f s, %u crashes, %s, %s: %zu in ten minutes, %zu after the first ten",
                 storm->seconds, storm->crashes, storm->in_turn ? "in turn" : "mixed",
                 storm->one_group ? "one user" : "a service each", most, later);
}

static void expect_all_told(const struct storm *storm)
{
    size_t unlisted = 0;

    for (unsigned program = 0; program < PROGRAMS; program++) {
        if (h.looped[program])
            assert_true(h.told[program]);
        unlisted += !h.listed[program];
    }
    assert_in_range(unlisted, 0, h.uncounted);
    /* What follows waits for longer when the storm lasts, but never for more than an interval. */
    assert_in_range(h.late_ns, 0,
                    (storm->seconds < 180   ? 61
                     : storm->seconds < 300 ? 121
                                            : 301) *
                        NS_PER_SECOND);
}

static void a_storm_of_any_length_is_ten_notifications_in_ten_minutes(void **state)
{
    for (unsigned i = 0; i < SHAPES * sizeof(lengths) / sizeof(lengths[0]); i++) {
        const struct storm storm = storm_of(lengths[i / SHAPES], i % SHAPES);

        open_host("");
        blow(&storm);
        expect_few(&storm);
        expect_all_told(&storm);
        close_host(NULL);
    }
    open_host("");
}

/* From a crash every few seconds to one every few minutes there is no pace at which what waits for
 * more and what goes at once add up to more. */
static void no_pace_makes_more_of_it(void **state)
{
    for (unsigned gap = 2; gap <= 400; gap += gap < 20 ? 6 : 40) {
        for (unsigned each = 1; each <= 3; each += 2) {
            const struct storm storm = {PROGRAMS * gap, PROGRAMS * each, true, false};

            open_host("");
            blow(&storm);
            if (most_in_ten_minutes() > 10)
                fail_msg("%u crashes every %u s: %zu", each, gap, most_in_ten_minutes());
            close_host(NULL);
        }
    }
    open_host("");
}

static void what_has_another_cause_is_told_at_once(void **state)
{
    static const struct label disk[] = {{"check", "disk"}, {"subject", "/"}};
    struct alert_condition condition = {RULE_STATUS, disk, 2, STATUS_UNHEALTHY, 98, "disk is full"};

    for (unsigned i = 1; i < SHAPES * sizeof(lengths) / sizeof(lengths[0]); i += 3) {
        const struct storm storm = storm_of(lengths[i / SHAPES], i % SHAPES);
        struct alert_input input = {.conditions = &condition, .condition_count = 1};
        unsigned crashes[PROGRAMS] = {0}, number = 0;
        struct happening now = {0};

        open_host("");
        blow_until(&storm, storm.seconds / 2, &number, crashes, h.now_ns);
        add_event(&now, RULE_EVENT_OOM, "was killed", "other", "/system.slice/other.service");
        tick(&now);
        assert_int_equal(h.oom_ns, h.now_ns);
        h.now_ns += TICK_NS;
        input.monotonic_ns = h.now_ns;
        input.realtime_ns = 1767225600ULL * NS_PER_SECOND + h.now_ns;
        alert_manager_tick(h.manager, &input);
        assert_int_equal(h.disk_ns, h.now_ns);
        close_host(NULL);
    }
    open_host("");
}

static void look(void *ctx, const struct alert_view *view)
{
    unsigned program = (unsigned)strtoul(labels_get(view->labels, "comm") + 1, NULL, 10);
    size_t *waiting = ctx;

    if (view->state != ALERT_FIRING ||
        strcmp(labels_get(view->labels, "alertname"), "CrashLoop") != 0)
        return;
    assert_string_equal(suppression_text(view->suppressed), h.told[program] ? "" : "group_wait");
    *waiting += !h.told[program];
}

static size_t waited;

static void look_at_all(void)
{
    alert_manager_each(h.manager, look, &waited);
}

static void what_waits_says_so(void **state)
{
    const struct storm storm = storm_of(300, 1);

    open_host("");
    h.after_tick = look_at_all;
    blow(&storm);
    assert_true(waited > 0);
}

/* Neither gets more than one route has, nor keeps the other from its receiver. */
static void two_routes_have_one_receiver(void **state)
{
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        const struct storm storm = storm_of(600, shape);

        open_host("],\"routes\":[{\"channels\":[\"hook\"],\"match\":{\"alertname\":\"CrashLoop\"}},"
                  "{\"channels\":[\"hook\"]}");
        blow(&storm);
        assert_in_range(most_in_ten_minutes(), 1, 10);
        expect_all_told(&storm);
        close_host(NULL);
    }
    open_host("");
}

static unsigned ticks_until_restart, ticks_between;
static bool reboots, forgets;

static void replace_manager(void)
{
    const struct alert_ops ops = {.notify = count, .ctx = &h};
    cJSON *saved = alert_manager_export(h.manager, "boot-1");
    struct config_errors errors = {0};

    if (forgets) {
        cJSON_DeleteItemFromObject(saved, "paces");
        cJSON_DeleteItemFromObject(saved, "rests");
    }
    alert_manager_destroy(h.manager);
    assert_int_equal(alert_manager_create(&h.manager, h.config, &ops, &errors), 0);
    assert_int_equal(alert_manager_import(h.manager, saved, reboots ? "boot-2" : "boot-1", h.now_ns,
                                          1767225600ULL * NS_PER_SECOND + h.now_ns),
                     0);
    cJSON_Delete(saved);
}

static void restart_now_and_then(void)
{
    if (--ticks_until_restart > 0)
        return;
    ticks_until_restart = ticks_between;
    replace_manager();
}

static char *log_of(const struct storm *storm, unsigned between)
{
    char *log;

    ticks_until_restart = ticks_between = between;
    open_host("");
    h.after_tick = between ? restart_now_and_then : NULL;
    blow(storm);
    log = strdup(h.log.data);
    close_host(NULL);
    return log;
}

static void a_restart_in_a_storm_is_no_new_one(void **state)
{
    static const unsigned betweens[] = {7, 40, 333, 1111, 2222};

    for (unsigned shape = 0; shape < 4; shape++) {
        const struct storm storm = storm_of(300, shape);
        char *whole = log_of(&storm, 0);

        for (size_t i = 0; i < sizeof(betweens) / sizeof(betweens[0]); i++) {
            char *cut;

            reboots = i & 1;
            cut = log_of(&storm, betweens[i]);
            if (strcmp(whole, cut) != 0)
                fail_msg("restarted every %u ticks:\n%s\nwithout:\n%s", betweens[i], cut, whole);
            free(cut);
        }
        free(whole);
    }
    reboots = false;
    open_host("");
}

static void kill_one(unsigned number)
{
    struct happening now = {0};
    char cgroup[64];

    snprintf(cgroup, sizeof(cgroup), "/system.slice/%u.service", number);
    add_event(&now, RULE_EVENT_OOM, "was killed", "x", cgroup);
    h.now_ns += NS_PER_SECOND;
    tick(&now);
}

/* Killed before the whole state was on the disk. */
static void the_pace_is_in_the_note_of_what_was_told(void **state)
{
    const struct alert_ops ops = {.notify = count, .ctx = &h};
    struct config_errors errors = {0};
    size_t told;
    cJSON *note;

    open_host("");
    for (unsigned i = 0; i < 5; i++)
        kill_one(i);
    told = h.webhooks;
    assert_int_equal(told, 4);
    note = alert_manager_export_told(h.manager, "boot");
    alert_manager_destroy(h.manager);
    assert_int_equal(alert_manager_create(&h.manager, h.config, &ops, &errors), 0);
    assert_int_equal(alert_manager_import_told(h.manager, note, "boot", h.now_ns,
                                               1767225600ULL * NS_PER_SECOND + h.now_ns),
                     0);
    cJSON_Delete(note);
    kill_one(6);
    assert_int_equal(h.webhooks, told);
}

/* Of an agent that did not save it yet. */
static void a_state_without_the_pace_is_read(void **state)
{
    const struct storm storm = storm_of(300, 1);
    unsigned crashes[PROGRAMS] = {0}, number = 0;
    uint64_t began_ns;

    open_host("");
    began_ns = h.now_ns;
    blow_until(&storm, 100, &number, crashes, began_ns);
    forgets = true;
    replace_manager();
    forgets = false;
    blow_until(&storm, storm.seconds + SETTLED_SECONDS, &number, crashes, began_ns);
    expect_all_told(&storm);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_host)
    const struct CMUnitTest tests[] = {
        TEST(a_storm_of_any_length_is_ten_notifications_in_ten_minutes),
        TEST(no_pace_makes_more_of_it),
        TEST(what_has_another_cause_is_told_at_once),
        TEST(what_waits_says_so),
        TEST(two_routes_have_one_receiver),
        TEST(a_restart_in_a_storm_is_no_new_one),
        TEST(the_pace_is_in_the_note_of_what_was_told),
        TEST(a_state_without_the_pace_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
