#include "base/clock.h"
#include "breaker/recovery.h"
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S NS_PER_SECOND

static const struct recovery_rule rule = {.base_ns = 60 * S, .max_ns = 300 * S, .multiplier = 2};

static void the_first_time_is_what_was_configured(void **state)
{
    static const double draws[] = {0, 0.3, 0.999999};

    for (size_t i = 0; i < sizeof(draws) / sizeof(draws[0]); i++) {
        struct recovery r = {0};

        assert_int_equal(recovery_open(&r, &rule, 5 * S, draws[i]), 60 * S);
    }
}

static void openings_in_a_row_grow_up_to_the_limit(void **state)
{
    static const uint64_t nominal[] = {60 * S, 120 * S, 240 * S, 300 * S, 300 * S, 300 * S};
    struct recovery r = {0};

    for (size_t i = 0; i < sizeof(nominal) / sizeof(nominal[0]); i++) {
        assert_int_equal(recovery_next_ns(&r, &rule, 5 * S), nominal[i]);
        recovery_open(&r, &rule, 5 * S, 0.5);
        assert_int_equal(r.nominal_ns, nominal[i]);
    }
}

static void jitter_takes_the_upper_half_and_no_less_than_the_base(void **state)
{
    uint64_t least = UINT64_MAX, most = 0, below_middle = 0;
    const int draws = 10000;

    srand48(1);
    for (int i = 0; i < draws; i++) {
        struct recovery r = {.next_ns = 300 * S};
        uint64_t wait = recovery_open(&r, &rule, 5 * S, drand48());

        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        below_middle += wait < 225 * S;
    }
    assert_in_range(least, 150 * S, 151 * S);
    assert_in_range(most, 299 * S, 300 * S);
    /* Uniform: 5,000 of them, four standard deviations are 200. */
    assert_in_range(below_middle, 4800, 5200);
    for (int i = 0; i < draws; i++) {
        struct recovery r = {.next_ns = 90 * S};

        assert_in_range(recovery_open(&r, &rule, 5 * S, drand48()), 60 * S, 90 * S);
    }
}

static void each_base_time_in_closed_halves_it(void **state)
{
    struct recovery r = {.next_ns = 240 * S};

    recovery_closed(&r, 1000 * S);
    assert_int_equal(recovery_next_ns(&r, &rule, 1059 * S), 240 * S);
    assert_int_equal(recovery_next_ns(&r, &rule, 1060 * S), 120 * S);
    assert_int_equal(recovery_next_ns(&r, &rule, 1119 * S), 120 * S);
    assert_int_equal(recovery_next_ns(&r, &rule, 1120 * S), 60 * S);
    assert_int_equal(recovery_next_ns(&r, &rule, 100000 * S), 60 * S);
}

/* One good minute does not wipe out a bad hour. */
static void falling_over_soon_after_goes_on_growing(void **state)
{
    struct recovery r = {0};

    recovery_open(&r, &rule, 1000 * S, 0);
    recovery_closed(&r, 1060 * S);
    recovery_open(&r, &rule, 1070 * S, 0);
    assert_int_equal(r.nominal_ns, 120 * S);
    recovery_closed(&r, 1200 * S);
    recovery_open(&r, &rule, 1265 * S, 0);
    /* 240 s halved once. */
    assert_int_equal(r.nominal_ns, 120 * S);
}

static void nothing_learnt_nothing_grown(void **state)
{
    struct recovery r = {0};

    recovery_open(&r, &rule, 5 * S, 0);
    recovery_open(&r, &rule, 5 * S, 0);
    assert_int_equal(recovery_reopen(&r, &rule, 0.5), 90 * S);
    assert_int_equal(r.nominal_ns, 120 * S);
    assert_int_equal(recovery_next_ns(&r, &rule, 5 * S), 240 * S);
}

static void without_a_multiplier_it_stays(void **state)
{
    const struct recovery_rule flat = {.base_ns = 60 * S, .max_ns = 300 * S, .multiplier = 1};
    struct recovery r = {0};

    for (int i = 0; i < 10; i++)
        assert_int_equal(recovery_open(&r, &flat, 5 * S, 0.9), 60 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_time_is_what_was_configured),
        cmocka_unit_test(openings_in_a_row_grow_up_to_the_limit),
        cmocka_unit_test(jitter_takes_the_upper_half_and_no_less_than_the_base),
        cmocka_unit_test(each_base_time_in_closed_halves_it),
        cmocka_unit_test(falling_over_soon_after_goes_on_growing),
        cmocka_unit_test(nothing_learnt_nothing_grown),
        cmocka_unit_test(without_a_multiplier_it_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
