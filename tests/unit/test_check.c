/* The check's state machine: single rules by example, all sequences of seven readings against an
 * independent model that looks back over the whole history instead of keeping state. */
#include "health/check.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka needs the four above before it. */
#include <cmocka.h>

#define RAISE 3
#define CLEAR 4
#define GRACE 2

static const struct check_rule rule = {
    .warning = 80,
    .critical = 90,
    .margin = 0.1,
    .raise_ns = RAISE,
    .critical_raise_ns = RAISE,
    .clear_ns = CLEAR,
    .grace_ns = GRACE,
};

/* Below everything, between the clear level (72) and the warning level, at warning, between
 * critical's clear level (81) and critical, at critical, missing. */
static const double readings[] = {50, 75, 80, 85, 90, NAN};
#define READINGS (sizeof(readings) / sizeof(readings[0]))

static struct reading reading_from(double v)
{
    return isnan(v) ? reading_missing("gone") : reading_of(v);
}

/* Is there an s <= t such that the readings from s to t at `from` and later all point `up` (at or
 * above the level) or down (below the clear level), missing ones aside, for at least the duration,
 * and no gap of GRACE lies between? The first of them has to be known. */
static bool held(const double *history, int from, int t, bool up, double level)
{
    int duration = up ? RAISE : CLEAR, began = -1, missing = 0;

    for (int i = from; i <= t; i++) {
        if (isnan(history[i])) {
            /* The gap is from its first missing reading to the last. */
            missing++;
            if (missing - 1 >= GRACE)
                began = -1;
            continue;
        }
        missing = 0;
        if (up ? history[i] >= level : history[i] < level * 0.9) {
            if (began < 0)
                began = i;
        } else {
            began = -1;
        }
    }
    return !isnan(history[t]) && began >= 0 && t - began >= duration;
}

static bool raised_by_history(const double *history, int t, double level)
{
    bool raised = false;
    int from = 0;

    for (int i = 0; i <= t; i++) {
        if (held(history, from, i, !raised, level)) {
            raised = !raised;
            from = i + 1;
        }
    }
    return raised;
}

static enum status status_by_history(const double *history, int t)
{
    int missing = 0, last = t;

    while (last >= 0 && isnan(history[last])) {
        last--;
        missing++;
    }
    if (last < 0 || missing - 1 >= GRACE)
        return STATUS_UNKNOWN;
    if (raised_by_history(history, last, 90))
        return STATUS_UNHEALTHY;
    return raised_by_history(history, last, 80) ? STATUS_DEGRADED : STATUS_HEALTHY;
}

static void compare(const double *history, int length)
{
    struct check check = {0};

    for (int t = 0; t < length; t++) {
        enum status got = check_feed(&check, &rule, reading_from(history[t]), 100 + (uint64_t)t);
        enum status want = status_by_history(history, t);

        if (got != want) {
            for (int i = 0; i <= t; i++)
                print_error("%g ", history[i]);
            print_error("\n");
            assert_string_equal(status_name(got), status_name(want));
        }
    }
}

static void agrees_with_the_history_on_all_short_sequences(void **state)
{
    enum { LENGTH = 7 };
    double history[LENGTH];
    size_t index[LENGTH] = {0};

    for (;;) {
        int at = 0;

        for (int i = 0; i < LENGTH; i++)
            history[i] = readings[index[i]];
        compare(history, LENGTH);
        while (at < LENGTH && ++index[at] == READINGS)
            index[at++] = 0;
        if (at == LENGTH)
            return;
    }
}

/* xorshift64: the same sequence on every run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void agrees_with_the_history_on_long_sequences(void **state)
{
    enum { LENGTH = 60, ROUNDS = 2000 };
    uint64_t seed = 88172645463325252;
    double history[LENGTH];

    for (int round = 0; round < ROUNDS; round++) {
        /* Runs of the same reading, or a latch would hardly ever be raised and cleared again. */
        for (int i = 0; i < LENGTH; i++)
            history[i] = i > 0 && next_random(&seed) % 4 ? history[i - 1]
                                                         : readings[next_random(&seed) % READINGS];
        compare(history, LENGTH);
    }
}

static enum status feed_for(struct check *check, const struct check_rule *r, double value,
                            uint64_t from, uint64_t until)
{
    enum status status = check->status;

    for (uint64_t t = from; t <= until; t++)
        status = check_feed(check, r, reading_from(value), t);
    return status;
}

static void swinging_around_the_level_does_not_flap(void **state)
{
    struct check check = {0};

    feed_for(&check, &rule, 80, 0, RAISE);
    assert_int_equal(check.status, STATUS_DEGRADED);
    assert_int_equal(check.since_ns, RAISE);
    for (uint64_t t = RAISE + 1; t < 1000; t++)
        assert_int_equal(check_feed(&check, &rule, reading_of(t % 2 ? 73 : 82), t),
                         STATUS_DEGRADED);
    assert_int_equal(check.since_ns, RAISE);
}

static void no_duration_judges_at_once(void **state)
{
    struct check_rule at_once = rule;
    struct check check = {0};

    at_once.raise_ns = at_once.critical_raise_ns = 0;
    at_once.clear_ns = 0;
    assert_int_equal(check_feed(&check, &at_once, reading_of(95), 1), STATUS_UNHEALTHY);
    assert_int_equal(check_feed(&check, &at_once, reading_of(80.5), 2), STATUS_DEGRADED);
    assert_int_equal(check_feed(&check, &at_once, reading_of(71.9), 3), STATUS_HEALTHY);
}

static void a_value_back_from_the_unknown_is_as_bad_as_it_went(void **state)
{
    struct check check = {0};

    feed_for(&check, &rule, 95, 0, RAISE);
    assert_int_equal(feed_for(&check, &rule, NAN, RAISE + 1, RAISE + 50), STATUS_UNKNOWN);
    assert_int_equal(check_feed(&check, &rule, reading_of(95), RAISE + 51), STATUS_UNHEALTHY);
}

static void a_level_that_does_not_exist_is_never_raised(void **state)
{
    struct check_rule warning_only = rule;
    struct check check = {0};

    warning_only.critical = NAN;
    assert_int_equal(feed_for(&check, &warning_only, 1e9, 0, 100), STATUS_DEGRADED);
}

static void new_levels_are_judged_with_the_old_state(void **state)
{
    struct check_rule stricter = rule;
    struct check check = {0};

    feed_for(&check, &rule, 79, 0, 100);
    assert_int_equal(check.status, STATUS_HEALTHY);
    stricter.warning = 70;
    assert_int_equal(feed_for(&check, &stricter, 79, 101, 101 + RAISE), STATUS_DEGRADED);
    /* And back: 79 is not below the clear level of 72, so the warning stays until it is. */
    assert_int_equal(feed_for(&check, &rule, 79, 200, 300), STATUS_DEGRADED);
    assert_int_equal(feed_for(&check, &rule, 71, 301, 301 + CLEAR), STATUS_HEALTHY);
}

static void an_average_ignores_a_spike_and_follows_a_step(void **state)
{
    struct check_rule averaged = rule;
    struct check check = {0};

    averaged.average_ns = 10;
    averaged.raise_ns = averaged.critical_raise_ns = 0;
    feed_for(&check, &averaged, 20, 0, 50);
    assert_int_equal(check_feed(&check, &averaged, reading_of(100), 51), STATUS_HEALTHY);
    feed_for(&check, &averaged, 20, 52, 100);
    /* 20 + 80 (1 - e^(-t/10)) reaches 80 after 10 ln 4 = 13.9. */
    assert_int_equal(feed_for(&check, &averaged, 100, 101, 113), STATUS_HEALTHY);
    assert_int_equal(feed_for(&check, &averaged, 100, 114, 115), STATUS_DEGRADED);
}

static void the_worse_of_two_statuses(void **state)
{
    static const enum status order[] = {STATUS_HEALTHY, STATUS_UNKNOWN, STATUS_DEGRADED,
                                        STATUS_UNHEALTHY};

    for (int a = 0; a < STATUS_COUNT; a++) {
        for (int b = 0; b < STATUS_COUNT; b++)
            assert_int_equal(status_worse(order[a], order[b]), order[a > b ? a : b]);
    }
    assert_string_equal(status_name(STATUS_UNKNOWN), "unknown");
    assert_string_equal(status_name((enum status)99), "unknown");
}

static void reasons_beyond_the_list_are_counted(void **state)
{
    struct reasons reasons = {0};
    char longer[2 * REASON_BYTES];

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    for (int i = 0; i < REASONS_MAX + 3; i++)
        reasons_add(&reasons, "%s", longer);
    assert_int_equal(reasons.count, REASONS_MAX);
    assert_int_equal(reasons.suppressed, 3);
    assert_int_equal(strlen(reasons.text[0]), REASON_BYTES - 1);
    reasons_clear(&reasons);
    assert_int_equal(reasons.count, 0);
    assert_int_equal(reasons.suppressed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_history_on_all_short_sequences),
        cmocka_unit_test(agrees_with_the_history_on_long_sequences),
        cmocka_unit_test(swinging_around_the_level_does_not_flap),
        cmocka_unit_test(no_duration_judges_at_once),
        cmocka_unit_test(a_value_back_from_the_unknown_is_as_bad_as_it_went),
        cmocka_unit_test(a_level_that_does_not_exist_is_never_raised),
        cmocka_unit_test(new_levels_are_judged_with_the_old_state),
        cmocka_unit_test(an_average_ignores_a_spike_and_follows_a_step),
        cmocka_unit_test(the_worse_of_two_statuses),
        cmocka_unit_test(reasons_beyond_the_list_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
