/* Series with a known answer, one point a minute. */
#include "model/growth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_NS GROWTH_EVERY_NS
#define GIB 1073741824.0
#define MIB 1048576.0

static struct growth growth;
static uint64_t now_ns;

static int fresh(void **state)
{
    growth = (struct growth){.count = 0};
    now_ns = 5 * MINUTE_NS;
    return 0;
}

static void add(double level)
{
    growth_add(&growth, now_ns, level);
    now_ns += MINUTE_NS;
}

/* The same on every host: rand() is not. In -1..1. */
static double noise(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (double)(1u << 23) - 1;
}

static bool growing(void)
{
    return reading_known(growth_seconds_until(&growth, GIB));
}

static void test_linear(void **state)
{
    assert_non_null(growth_seconds_until(&growth, GIB).missing);
    for (int i = 0; i < 60; i++) {
        add(GIB + i * 6 * MIB);
        if (i < 9)
            assert_false(growing());
    }
    /* 6 MiB a minute: 1 GiB lasts 1024 / 6 minutes. */
    assert_true(fabs(growth_seconds_until(&growth, GIB).value - 1024.0 / 6 * 60) < 1);
    assert_true(growth_seconds_until(&growth, 0).value == 0);
    assert_non_null(strstr(growth_seconds_until(&growth, 1e6 * GIB).missing, "week"));
}

static void test_points_are_one_a_minute(void **state)
{
    for (int i = 0; i < 300; i++)
        growth_add(&growth, now_ns + (uint64_t)i * MINUTE_NS / 12, i);
    assert_int_equal(growth.count, 25);
}

static void test_noisy_growth(void **state)
{
    unsigned seed = 1;

    for (int i = 0; i < 60; i++)
        add(GIB + i * 6 * MIB + 20 * MIB * noise(&seed));
    assert_true(growing());
    assert_true(fabs(growth.per_second.value * 60 / MIB - 6) < 1);
}

/* A wild point now and then does not move a median. */
static void test_outliers(void **state)
{
    for (int i = 0; i < 60; i++)
        add(GIB + i * 6 * MIB + (i == 20 ? 60 * MIB : 0));
    assert_true(growing());
    assert_true(fabs(growth.per_second.value * 60 / MIB - 6) < 0.5);
}

static void test_flat_and_shrinking(void **state)
{
    unsigned seed = 7;
    int alarms = 0;

    for (int i = 0; i < 100; i++) {
        add(GIB);
        assert_false(growing());
    }
    for (int i = 0; i < 100; i++) {
        add(GIB - i * MIB);
        assert_false(growing());
    }
    fresh(state);
    for (int i = 0; i < 6 * 60; i++) {
        add(GIB + 50 * MIB * noise(&seed));
        alarms += growing();
    }
    assert_int_equal(alarms, 0);
}

/* A few points of pure chance look like a trend now and then. */
static void test_few_points_of_noise(void **state)
{
    int alarms = 0;

    for (unsigned run = 0; run < 20000; run++) {
        unsigned seed = run * 2654435761u;

        fresh(state);
        for (int i = 0; i < 12; i++) {
            add(GIB + 50 * MIB * noise(&seed));
            alarms += growing();
        }
    }
    print_message("%d alarms in 60000 judgements\n", alarms);
    assert_true(alarms <= 30);
}

/* Log rotation, compaction, garbage collection: every period, at every phase. What has never been
 * seen to fall cannot be told from growth, so the first period is not judged. */
static void test_sawtooth(void **state)
{
    for (int period = 3; period <= 240; period += 7) {
        fresh(state);
        for (int i = 0; i < 24 * 60; i++) {
            add(GIB + (i % period) * 10 * MIB);
            if (i >= period && growing())
                fail_msg("period %d, minute %d", period, i);
        }
    }
}

/* A sawtooth on top of real growth: the growth is told once it shows beyond the teeth. */
static void test_small_teeth_on_growth(void **state)
{
    for (int i = 0; i < 60; i++)
        add(GIB + i * 6 * MIB + (i % 5) * 4 * MIB);
    assert_true(growing());
}

static void test_one_large_copy(void **state)
{
    for (int at = 1; at < 60; at++) {
        fresh(state);
        for (int i = 0; i < 60; i++) {
            add(i < at ? GIB : 50 * GIB);
            if (growing())
                fail_msg("copied at minute %d, seen growing at %d", at, i);
        }
    }
}

/* Cleared once, a leak is believed again when it has passed the old peak by some, or days later. */
static void test_leak_after_a_clean_up(void **state)
{
    double level = GIB;
    int first = -1;

    for (int i = 0; i < 120; i++)
        add(level += 10 * MIB);
    assert_true(growing());
    level = GIB;
    for (int i = 0; i < 200; i++) {
        add(level += 10 * MIB);
        if (growing() && first < 0)
            first = i;
    }
    assert_true(first >= 119 && first <= 130);
}

/* A backup fills for two hours and is gone in the morning; each is a little larger, and none begins
 * at the same minute. The first night cannot be told from growth. */
static void test_nightly_job(void **state)
{
    unsigned seed = 3;

    for (int night = 0; night < 14; night++) {
        int start = 120 + (int)(20 * noise(&seed));
        double rate = 80 * MIB * (1 + 0.01 * night);

        for (int i = 0; i < 24 * 60; i++) {
            int filled = i < start ? 0 : i < start + 120 ? i - start : 120;

            add(10 * GIB + (i < 8 * 60 ? filled * rate : 0));
            if (night > 0 && growing())
                fail_msg("night %d, minute %d", night, i);
        }
    }
}

/* After a suspend the old points are older than the window. */
static void test_gap(void **state)
{
    for (int i = 0; i < 60; i++)
        add(GIB + i * MIB);
    now_ns += 600 * MINUTE_NS;
    add(2 * GIB);
    assert_int_equal(growth.count, 1);
    assert_false(growing());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_linear, fresh),
        cmocka_unit_test_setup(test_nightly_job, fresh),
        cmocka_unit_test_setup(test_points_are_one_a_minute, fresh),
        cmocka_unit_test_setup(test_noisy_growth, fresh),
        cmocka_unit_test_setup(test_outliers, fresh),
        cmocka_unit_test_setup(test_flat_and_shrinking, fresh),
        cmocka_unit_test_setup(test_few_points_of_noise, fresh),
        cmocka_unit_test_setup(test_sawtooth, fresh),
        cmocka_unit_test_setup(test_small_teeth_on_growth, fresh),
        cmocka_unit_test_setup(test_one_large_copy, fresh),
        cmocka_unit_test_setup(test_leak_after_a_clean_up, fresh),
        cmocka_unit_test_setup(test_gap, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
