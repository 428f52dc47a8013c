/* What an agent makes of what the one before left, when none ran for a while. */
#include "alert_fixture.h"

static struct world w;

static int clean_up(void **state)
{
    world_close(&w);
    return 0;
}

static void open_with(const char *rule)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"escalation_delay\":0," AT_ONCE "\"rules\":[" NO_BUILT_IN
             ",%s]}}",
             rule);
    world_open(&w, text);
}

#define ABSENT "{\"name\":\"A\",\"kind\":\"absent\",\"metric\":\"m\",\"for\":300}"
#define OVER_5(for_) "{\"name\":\"A\",\"metric\":\"m\",\"above\":5,\"for\":" for_ "}"

/* The next agent starts now and reads what there was at the last tick before. */
static void start_anew_at(unsigned second, bool reboot)
{
    const struct alert_ops ops = {.notify = world_log, .ctx = &w};
    cJSON *saved = alert_manager_export(w.manager, "boot-1");
    struct config_errors errors = {0};

    alert_manager_destroy(w.manager);
    assert_int_equal(alert_manager_create(&w.manager, w.config, &ops, &errors), 0);
    w.now = second;
    if (reboot)
        w.booted = second - 5;
    assert_int_equal(alert_manager_import(w.manager, saved, reboot ? "boot-2" : "boot-1",
                                          (w.now - w.booted) * NS_PER_SECOND,
                                          (WORLD_EPOCH + w.now) * NS_PER_SECOND),
                     0);
    cJSON_Delete(saved);
}

static void first_tick(double value)
{
    set_metric(&w, "m", NULL, value);
    w.no_rates_yet = true;
    run_until(&w, w.now + 1);
    w.no_rates_yet = false;
}

static const char *state_of_a(void)
{
    struct alert_view view;

    return find_view(&w, "A", "", &view) ? alert_state_text(view.state) : "none";
}

static void nothing_is_absent_before_it_can_be_there(void **state)
{
    open_with(ABSENT);
    first_tick(NAN);
    assert_string_equal(state_of_a(), "none");
    run_until(&w, 1002);
    assert_string_equal(state_of_a(), "pending");
    run_until(&w, 1301);
    expect_log(&w, "");
    run_until(&w, 1310);
    expect_log(&w, "1302 firing ops +A\n");
}

/* Killed in its first second, started again after more than the rule's `for`, whether the state
 * holds the absence (an older agent's does) or not. */
static void a_figure_that_takes_two_samples_is_not_absent(void **state)
{
    for (int shape = 0; shape < 4; shape++) {
        open_with(ABSENT);
        if (shape & 1)
            first_tick(NAN);
        else
            run_until(&w, 1001);
        start_anew_at(1400, shape & 2);
        first_tick(NAN);
        set_metric(&w, "m", NULL, 1);
        run_until(&w, 2000);
        expect_log(&w, "");
        assert_string_equal(state_of_a(), "none");
        if (shape < 3)
            world_close(&w);
    }
}

static void an_absence_that_fired_goes_on(void **state)
{
    for (int shape = 0; shape < 4; shape++) {
        open_with(ABSENT);
        run_until(&w, 1310);
        expect_log(&w, "1301 firing ops +A\n");
        start_anew_at(5000, shape & 2);
        first_tick(NAN);
        assert_string_equal(state_of_a(), "firing");
        if (shape & 1)
            set_metric(&w, "m", NULL, 1);
        run_until(&w, 5400);
        expect_log(&w, shape & 1 ? "5002 resolved ops -A\n" : "");
        if (shape < 3)
            world_close(&w);
    }
}

/* The outage is no time in which a series was gone: firing, unknown and firing is no news. */
static void what_fired_and_is_unknown_at_first_goes_on(void **state)
{
    open_with(OVER_5("60"));
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 1100);
    expect_log(&w, "1061 firing ops +A\n");
    start_anew_at(5000, false);
    first_tick(NAN);
    set_metric(&w, "m", NULL, 6);
    run_until(&w, 5100);
    expect_log(&w, "");
    /* It is over when nothing is known for five minutes. */
    set_metric(&w, "m", NULL, NAN);
    run_until(&w, 5500);
    expect_log(&w, "5400 resolved ops -A\n");
}

static void what_is_pending_lasts_only_while_somebody_looks(void **state)
{
    static const struct {
        const char *rule;
        unsigned pending, outage, then; /* seconds; then: until it fires */
    } cases[] = {
        {OVER_5("60"), 30, 0, 30},
        {OVER_5("60"), 30, 10, 30},
        {OVER_5("60"), 59, 30, 1},
        /* To begin anew costs no more than was lost. */
        {OVER_5("60"), 59, 60, 60},
        {OVER_5("60"), 59, 3600, 60},
        {OVER_5("7200"), 7000, 3599, 200},
        {OVER_5("7200"), 7000, 3600, 7200},
        {ABSENT, 299, 10, 1},
        {ABSENT, 299, 400, 300},
    };

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned began, fires;
        char expected[64];

        open_with(cases[i / 2].rule);
        began = w.now + 1;
        if (strstr(cases[i / 2].rule, "above"))
            set_metric(&w, "m", NULL, 6);
        run_until(&w, began + cases[i / 2].pending);
        expect_log(&w, "");
        start_anew_at(w.now + cases[i / 2].outage, i & 1);
        fires = w.now + cases[i / 2].then;
        run_until(&w, fires + 10);
        snprintf(expected, sizeof(expected), "%u firing ops +A\n", fires);
        expect_log(&w, expected);
        if (i + 1 < 2 * sizeof(cases) / sizeof(cases[0]))
            world_close(&w);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_absent_before_it_can_be_there),
        TEST(a_figure_that_takes_two_samples_is_not_absent),
        TEST(an_absence_that_fired_goes_on),
        TEST(what_fired_and_is_unknown_at_first_goes_on),
        TEST(what_is_pending_lasts_only_while_somebody_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
