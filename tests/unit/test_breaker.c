#include "breaker_fixture.h"
#include <errno.h>
#include <math.h>

static void says(const struct bench *b, const char *expected)
{
    char text[256];

    breaker_say(&b->last, b->now_ns, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void a_new_row_is_closed_and_armed(void **state)
{
    struct bench *b = *state;

    assert_int_equal(b->row.word, 0);
    assert_int_equal(b->row.failure_threshold, 5);
    assert_int_equal(b->row.half_open_max, 10);
    assert_int_equal(b->row.success_threshold, 3);
    assert_int_equal(b->row.enforce, 1);
    assert_int_equal(b->moves, 0);
    assert_true(breaker_next_ns(b->breaker) == UINT64_MAX);
}

static void failures_in_a_row_open_it(void **state)
{
    struct bench *b = *state;

    bench_fail(b, 4);
    bench_check(b, false);
    bench_fail(b, 4);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    bench_fail(b, 1);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    assert_int_equal(b->row.opened_ns, b->now_ns);
    assert_int_equal(b->last.figures.consecutive_failures, 5);
    assert_float_equal(b->last.figures.threshold, 5, 0);
    assert_false(b->last.by_kernel);
    says(b, "opened: 5 failures in a row at " ADDRESS " (failure_threshold 5); next try in 60 s");
}

static void the_kernels_trip_is_noticed_with_its_time_and_address(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 5; i++)
        kernel_call(&b->row, true, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    b->now_ns += SECOND / 2;
    breaker_kernel_opened(b->breaker, b->now_ns, 1, "10.0.0.2:443");
    assert_true(b->last.by_kernel);
    assert_int_equal(b->last.at_ns, 1000 * SECOND);
    assert_int_equal(b->last.retry_ns, 1060 * SECOND);
    assert_string_equal(b->last.address, "10.0.0.2:443");
    assert_int_equal(breaker_next_ns(b->breaker), 1060 * SECOND);
    /* The record again, and one that is late. */
    breaker_kernel_opened(b->breaker, b->now_ns, 1, "10.0.0.2:443");
    breaker_kernel_opened(b->breaker, b->now_ns, 0, "10.0.0.3:443");
    assert_int_equal(b->moves, 1);
}

static void a_record_behind_the_state_adds_the_address(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 5; i++)
        kernel_call(&b->row, true, b->now_ns);
    bench_pass(b, SECOND);
    assert_string_equal(b->last.address, ADDRESS);
    breaker_kernel_opened(b->breaker, b->now_ns, 1, "10.0.0.2:443");
    assert_int_equal(b->moves, 1);
    assert_string_equal(bench_view(b).last.address, "10.0.0.2:443");
}

static void a_share_of_failures_opens_it(void **state)
{
    struct bench *b = *state;

    breaker_calls(b->breaker, b->now_ns, &(struct calls){19, 19, 0});
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    breaker_calls(b->breaker, b->now_ns, &(struct calls){20, 0, 0});
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    breaker_calls(b->breaker, b->now_ns, &(struct calls){1, 1, 0});
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    says(b,
         "opened: 50.0 % of 40 calls to " ADDRESS " failed (failure_rate 50 %); next try in 60 s");
}

static void a_share_of_slow_calls_opens_it_where_slow_is_defined(void **state)
{
    struct bench *b = *state;
    struct config_breaker rules = b->rules;

    rules.slow_call_rate_percent = 80;
    bench_again(b, &rules);
    breaker_calls(b->breaker, b->now_ns, &(struct calls){100, 0, 90});
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    rules.slow_call_ms = 250;
    assert_int_equal(breaker_configure(b->breaker, &rules, ADDRESS, b->now_ns), 0);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    assert_int_equal(b->last.cause, BREAKER_CAUSE_SLOW_RATE);
    assert_float_equal(b->last.figures.slow_percent, 90, 0);
}

static void a_window_of_time_forgets(void **state)
{
    struct bench *b = *state;
    struct config_breaker rules = b->rules;

    rules.window_type = BREAKER_WINDOW_SECONDS;
    rules.window = 10;
    bench_again(b, &rules);
    breaker_calls(b->breaker, b->now_ns, &(struct calls){19, 19, 0});
    bench_pass(b, 11 * SECOND);
    breaker_calls(b->breaker, b->now_ns, &(struct calls){19, 19, 0});
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    breaker_calls(b->breaker, b->now_ns + SECOND, &(struct calls){1, 0, 0});
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    assert_int_equal(b->last.figures.window.count, 20);
}

static void open_to_half_open_to_the_nanosecond(void **state)
{
    struct bench *b = *state;

    bench_fail(b, 5);
    b->row.half_open_admitted = b->row.half_open_successes = b->row.half_open_failures = 7;
    bench_pass(b, 60 * SECOND - 1);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    bench_pass(b, 1);
    assert_int_equal(bench_state(b), BREAKER_HALF_OPEN);
    assert_int_equal(b->row.half_open_admitted, 0);
    assert_int_equal(b->row.half_open_successes, 0);
    assert_int_equal(b->row.half_open_failures, 0);
    assert_int_equal(breaker_next_ns(b->breaker), b->now_ns + 60 * SECOND);
}

static void probes_close_it(void **state)
{
    struct bench *b = *state;

    bench_half_open(b);
    bench_call(b, false);
    bench_call(b, false);
    assert_int_equal(bench_state(b), BREAKER_HALF_OPEN);
    bench_check(b, false);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    assert_int_equal(b->row.consecutive_failures, 0);
    says(b, "closed: 3 probes to " ADDRESS " succeeded (success_threshold 3)");
}

static void no_more_probes_than_permitted(void **state)
{
    struct bench *b = *state;
    int passed = 0;

    b->rules.success_threshold = 11;
    bench_again(b, &b->rules);
    bench_half_open(b);
    for (int i = 0; i < 50; i++)
        passed += kernel_call(&b->row, false, b->now_ns);
    breaker_tick(b->breaker, b->now_ns);
    assert_int_equal(passed, 10);
    assert_int_equal(bench_view(b).figures.probes, 10);
    assert_int_equal(bench_state(b), BREAKER_HALF_OPEN);
    bench_pass(b, 60 * SECOND);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    says(b, "opened: no decision before half_open_timeout: 10 probes, 10 succeeded; next try in "
            "60 s");
    assert_int_equal(bench_view(b).recovery_timeout_ns, 240 * SECOND);
}

static void half_open_without_callers_ends_without_growth(void **state)
{
    struct bench *b = *state;

    bench_half_open(b);
    bench_pass(b, 60 * SECOND);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    says(b, "opened: nobody called before half_open_timeout; next try in 60 s");
    assert_int_equal(bench_view(b).recovery_timeout_ns, 120 * SECOND);
}

static void a_check_counts_in_its_own_epoch_only(void **state)
{
    struct bench *b = *state;
    uint64_t begun = breaker_epoch(b->breaker);

    bench_half_open(b);
    for (int i = 0; i < 5; i++) {
        breaker_call(b->breaker, b->now_ns, begun, false, false, NULL);
        breaker_call(b->breaker, b->now_ns, begun, true, false, NULL);
    }
    assert_int_equal(bench_state(b), BREAKER_HALF_OPEN);
    assert_int_equal(b->row.half_open_successes, 0);
    assert_int_equal(b->row.half_open_failures, 0);
}

static void growth_and_decay_over_several_openings(void **state)
{
    struct bench *b = *state;

    bench_half_open(b);
    bench_check(b, true);
    assert_int_equal(b->last.retry_ns - b->now_ns, 60 * SECOND); /* draw 0: half of 120 s */
    b->draw = 0.5;
    bench_pass(b, 60 * SECOND);
    bench_check(b, true);
    assert_int_equal(b->last.retry_ns - b->now_ns, 180 * SECOND); /* between 120 s and 240 s */
    bench_pass(b, 180 * SECOND);
    for (int i = 0; i < 3; i++)
        bench_check(b, false);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    assert_int_equal(bench_view(b).recovery_timeout_ns, 300 * SECOND);
    bench_pass(b, 60 * SECOND);
    assert_int_equal(bench_view(b).recovery_timeout_ns, 150 * SECOND);
    bench_pass(b, 60 * SECOND);
    assert_int_equal(bench_view(b).recovery_timeout_ns, 75 * SECOND);
    bench_pass(b, 60 * SECOND);
    assert_int_equal(bench_view(b).recovery_timeout_ns, 60 * SECOND);
}

static void forced_open_is_never_left_by_itself(void **state)
{
    struct bench *b = *state;

    assert_int_equal(breaker_open(b->breaker, b->now_ns), 0);
    assert_int_equal(breaker_open(b->breaker, b->now_ns), 0);
    bench_pass(b, 100000 * SECOND);
    for (int i = 0; i < 10; i++)
        bench_check(b, i % 2);
    assert_int_equal(b->row.word, BREAKER_WORD(1, BREAKER_FORCED_OPEN));
    breaker_reset(b->breaker, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
}

static void modes_decide_over_hands(void **state)
{
    struct bench *b = *state;
    struct config_breaker rules = b->rules;

    rules.mode = BREAKER_MODE_DISABLED;
    breaker_configure(b->breaker, &rules, ADDRESS, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_OFF);
    bench_fail(b, 10);
    breaker_calls(b->breaker, b->now_ns, &(struct calls){90, 90, 0});
    assert_int_equal(bench_state(b), BREAKER_OFF);
    assert_int_equal(bench_view(b).figures.window.count, 100);
    assert_int_equal(breaker_open(b->breaker, b->now_ns), -EPERM);
    assert_int_equal(breaker_close(b->breaker, b->now_ns), -EPERM);
    rules.mode = BREAKER_MODE_FORCED_OPEN;
    breaker_configure(b->breaker, &rules, ADDRESS, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_FORCED_OPEN);
    assert_int_equal(b->row.enforce, 1);
    rules.mode = BREAKER_MODE_OBSERVE;
    breaker_configure(b->breaker, &rules, ADDRESS, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    assert_int_equal(b->row.enforce, 0);
    assert_int_equal(b->row.consecutive_failures, 0);
    bench_fail(b, 5);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
}

static void a_reset_forgets_everything(void **state)
{
    struct bench *b = *state;

    bench_half_open(b);
    bench_check(b, true);
    breaker_reset(b->breaker, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
    assert_int_equal(bench_view(b).recovery_timeout_ns, 60 * SECOND);
    bench_fail(b, 4);
    breaker_reset(b->breaker, b->now_ns);
    bench_fail(b, 4);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
}

static void a_lower_threshold_meets_failures_already_counted(void **state)
{
    struct bench *b = *state;
    struct config_breaker rules = b->rules;

    bench_fail(b, 4);
    rules.failure_threshold = 3;
    breaker_configure(b->breaker, &rules, ADDRESS, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
}

static void a_shorter_limit_shortens_the_wait(void **state)
{
    struct bench *b = *state;
    struct config_breaker rules = b->rules;

    bench_fail(b, 5);
    rules.recovery_timeout_seconds = 5;
    rules.max_recovery_timeout_seconds = 20;
    breaker_configure(b->breaker, &rules, ADDRESS, b->now_ns);
    assert_int_equal(breaker_next_ns(b->breaker), b->now_ns + 20 * SECOND);
}

static void the_history_keeps_the_newest(void **state)
{
    struct bench *b = *state;
    struct breaker_transition history[BREAKER_HISTORY];

    for (int i = 0; i < 20; i++)
        breaker_reset(b->breaker, b->now_ns);
    assert_int_equal(breaker_history(b->breaker, history), BREAKER_HISTORY);
    assert_int_equal(history[0].epoch, 20);
    assert_int_equal(history[15].epoch, 5);
    assert_int_equal(bench_view(b).last.epoch, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_new_row_is_closed_and_armed),
        BENCH_TEST(failures_in_a_row_open_it),
        BENCH_TEST(the_kernels_trip_is_noticed_with_its_time_and_address),
        BENCH_TEST(a_record_behind_the_state_adds_the_address),
        BENCH_TEST(a_share_of_failures_opens_it),
        BENCH_TEST(a_share_of_slow_calls_opens_it_where_slow_is_defined),
        BENCH_TEST(a_window_of_time_forgets),
        BENCH_TEST(open_to_half_open_to_the_nanosecond),
        BENCH_TEST(probes_close_it),
        BENCH_TEST(no_more_probes_than_permitted),
        BENCH_TEST(half_open_without_callers_ends_without_growth),
        BENCH_TEST(a_check_counts_in_its_own_epoch_only),
        BENCH_TEST(growth_and_decay_over_several_openings),
        BENCH_TEST(forced_open_is_never_left_by_itself),
        BENCH_TEST(modes_decide_over_hands),
        BENCH_TEST(a_reset_forgets_everything),
        BENCH_TEST(a_lower_threshold_meets_failures_already_counted),
        BENCH_TEST(a_shorter_limit_shortens_the_wait),
        BENCH_TEST(the_history_keeps_the_newest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
