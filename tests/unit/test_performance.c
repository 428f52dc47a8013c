/* A service under seeded random load, on a virtual clock: calls come by chance (Poisson) and take a
 * lognormal time. */
#include "base/clock.h"
#include "service/performance.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOUR 3600
#define DAY (24 * HOUR)
#define WINDOW 300
#define STEP_SECONDS (WINDOW / PERFORMANCE_SLICES)

struct load {
    struct performance *performance;
    struct traffic total;
    unsigned short seed[3];
    int seconds; /* since the start */
    double calls_per_second, median_ms, sigma, failed_share;
    bool degraded;
    int alarms; /* times it became degraded */
    int judged; /* steps at which it could have */
};

static void start(struct load *l, unsigned seed, double calls_per_second)
{
    *l = (struct load){.seed = {0x330e, (unsigned short)seed, 7},
                       .calls_per_second = calls_per_second,
                       .median_ms = 10,
                       .sigma = 0.5,
                       .failed_share = 0.01};
    assert_int_equal(performance_create(&l->performance, "api", WINDOW, 0.2, NS_PER_SECOND), 0);
}

static double normal(struct load *l)
{
    return sqrt(-2 * log(1 - erand48(l->seed))) * cos(2 * M_PI * erand48(l->seed));
}

/* By Knuth's product; the rates here are small. */
static int poisson(struct load *l, double mean)
{
    double product = erand48(l->seed), limit = exp(-mean);
    int n = 0;

    for (; product > limit; n++)
        product *= erand48(l->seed);
    return n;
}

static void call(struct load *l)
{
    uint64_t ns;

    l->total.calls++;
    if (erand48(l->seed) < l->failed_share) {
        l->total.failed++;
        return;
    }
    ns = (uint64_t)(l->median_ms * 1e6 * exp(l->sigma * normal(l)));
    l->total.latency.count++;
    l->total.latency.sum_ns += ns;
    l->total.latency.slots[fine_slot_of_ns(ns)]++;
}

static struct performance_view view_of(const struct load *l)
{
    struct performance_view view;

    performance_view(l->performance, &view);
    return view;
}

static void look(struct load *l)
{
    struct performance_view view = view_of(l);

    l->alarms += view.degraded && !l->degraded;
    l->judged += !view.unjudged;
    l->degraded = view.degraded;
}

/* What is judged changes with the window's steps only, the first of which begins with the first
 * second; a look at each of the millions of seconds would be most of the test's time. */
static void second(struct load *l)
{
    for (int calls = poisson(l, l->calls_per_second); calls > 0; calls--)
        call(l);
    l->seconds++;
    performance_feed(l->performance, (uint64_t)(l->seconds + 1) * NS_PER_SECOND, &l->total);
    if (l->seconds % STEP_SECONDS == 1)
        look(l);
}

static void run(struct load *l, int seconds)
{
    for (int i = 0; i < seconds; i++)
        second(l);
}

/* Seconds until it is degraded (or not); `limit` when it never is. */
static int until(struct load *l, bool degraded, int limit)
{
    int seconds = 0;

    while (seconds < limit && l->degraded != degraded) {
        second(l);
        seconds++;
    }
    return seconds;
}

static void figures_of_the_window(void **state)
{
    struct performance_view view;
    struct load l;

    start(&l, 1, 20);
    run(&l, HOUR);
    view = view_of(&l);
    assert_float_equal(view.window_seconds, WINDOW, WINDOW / PERFORMANCE_SLICES);
    assert_float_equal(view.calls_per_second.value, 20, 1.5);
    assert_float_equal(view.failed_percent.value, 1, 0.7);
    /* exp(sigma^2 / 2) and exp(1.645 sigma) times the median; a quantile is right to its slot. */
    assert_float_equal(view.mean_seconds.value, 0.01133, 0.0005);
    assert_float_equal(view.p50_seconds.value, 0.010, 0.002);
    assert_float_equal(view.p95_seconds.value, 0.0228, 0.0114);
    assert_true(view.p50_seconds.value < view.p90_seconds.value &&
                view.p90_seconds.value < view.p95_seconds.value &&
                view.p95_seconds.value < view.p99_seconds.value &&
                view.p99_seconds.value <= view.max_seconds.value);
    assert_null(view.usual.missing);
    assert_float_equal(view.usual.mean_seconds.value, 0.01133, 0.0003);
    assert_float_equal(view.usual.failed_percent.value, 1, 0.2);
    performance_destroy(l.performance);
}

static void calls_leave_the_window_though_none_come(void **state)
{
    struct performance_view view;
    struct load l;

    start(&l, 3, 5);
    run(&l, 100);
    assert_true(view_of(&l).calls > 300);
    l.calls_per_second = 0;
    run(&l, WINDOW / 2);
    assert_true(view_of(&l).calls > 300);
    run(&l, WINDOW);
    view = view_of(&l);
    assert_int_equal(view.calls, 0);
    assert_true(view.calls_total > 300);
    assert_non_null(view.p95_seconds.missing);
    assert_non_null(view.failed_percent.missing);
    performance_destroy(l.performance);
}

static void nothing_is_known_before_it_is_measured(void **state)
{
    struct performance_view view;
    struct load l;

    start(&l, 1, 0);
    view = view_of(&l);
    assert_false(reading_known(view.calls_per_second));
    assert_false(reading_known(view.p95_seconds));
    assert_non_null(view.usual.missing);
    assert_non_null(view.unjudged);
    run(&l, HOUR);
    view = view_of(&l);
    assert_float_equal(view.calls_per_second.value, 0, 0);
    assert_false(reading_known(view.failed_percent));
    assert_non_null(view.unjudged);
    performance_destroy(l.performance);
}

/* 40 services for a day each, over narrow and wide distributions, busy and quiet. */
static void stationary_load_raises_no_alarm(void **state)
{
    static const double sigmas[] = {0.2, 0.5, 1.0, 1.5}, rates[] = {0.5, 3};
    int alarms = 0, judged = 0;

    for (unsigned i = 0; i < 40; i++) {
        struct load l;

        start(&l, i, rates[i % 2]);
        l.sigma = sigmas[i / 2 % 4];
        run(&l, DAY);
        alarms += l.alarms;
        judged += l.judged;
        performance_destroy(l.performance);
    }
    assert_in_range(judged, 100000, 120000);
    assert_int_equal(alarms, 0);
}

static void a_step_of_30_percent_is_found_within_the_window(void **state)
{
    static const double rates[] = {2, 20};
    int worst = 0;

    for (unsigned i = 0; i < 20; i++) {
        struct load l;
        int seconds;

        start(&l, i, rates[i % 2]);
        run(&l, 2 * HOUR);
        l.median_ms *= 1.3;
        seconds = until(&l, true, HOUR);
        worst = seconds > worst ? seconds : worst;
        performance_destroy(l.performance);
    }
    print_message("found after at most %d s\n", worst);
    assert_in_range(worst, 30, WINDOW + 60);
}

static void a_step_is_named_and_recovers(void **state)
{
    struct performance_view view;
    struct load l;

    start(&l, 5, 10);
    run(&l, 2 * HOUR);
    l.median_ms = 25;
    assert_in_range(until(&l, true, HOUR), 30, 120);
    run(&l, WINDOW);
    view = view_of(&l);
    assert_non_null(strstr(view.reason, "of api "));
    assert_non_null(strstr(view.reason, "x its usual "));
    assert_float_equal(view.worse_percent, 150, 40);
    l.median_ms = 10;
    assert_in_range(until(&l, false, HOUR), 30, WINDOW + 90);
    view = view_of(&l);
    assert_string_equal(view.reason, "");
    /* Nothing of it was learnt. */
    run(&l, HOUR);
    assert_float_equal(view_of(&l).usual.mean_seconds.value, 0.01133, 0.0003);
    performance_destroy(l.performance);
}

static void failures_are_named(void **state)
{
    struct load l;

    start(&l, 6, 10);
    l.failed_share = 0.005;
    run(&l, 2 * HOUR);
    l.failed_share = 0.05;
    assert_in_range(until(&l, true, HOUR), 30, WINDOW);
    assert_non_null(strstr(view_of(&l).reason, "% of calls to api fail"));
    performance_destroy(l.performance);
}

static void a_service_that_never_failed_may_begin_to(void **state)
{
    struct load l;

    start(&l, 6, 10);
    l.failed_share = 0;
    run(&l, 2 * HOUR);
    l.failed_share = 0.05;
    assert_in_range(until(&l, true, HOUR), 30, WINDOW);
    assert_non_null(strstr(view_of(&l).reason, "usually 0 %"));
    performance_destroy(l.performance);
}

static void twelve_bad_calls_at_night_do_not_page(void **state)
{
    struct load l;

    start(&l, 7, 10);
    run(&l, 12 * HOUR);
    l.calls_per_second = 12.0 / WINDOW;
    l.median_ms = 100;
    l.failed_share = 0.5;
    run(&l, WINDOW); /* the evening's calls leave the window */
    l.alarms = 0;
    run(&l, 8 * HOUR);
    assert_int_equal(l.alarms, 0);
    assert_non_null(strstr(view_of(&l).unjudged, "too few calls"));
    performance_destroy(l.performance);
}

static void slow_drift_is_followed_and_fast_drift_is_not(void **state)
{
    struct load l;

    start(&l, 8, 2);
    for (int h = 0; h < 5 * 24; h++) {
        run(&l, HOUR);
        l.median_ms *= pow(1.02, 1.0 / 24);
    }
    assert_int_equal(l.alarms, 0);
    for (int h = 0; h < 24 && !l.alarms; h++) {
        run(&l, HOUR);
        l.median_ms *= 1.02;
    }
    assert_int_equal(l.alarms, 1);
    performance_destroy(l.performance);
}

static void what_lasts_a_day_is_the_new_usual(void **state)
{
    struct load l;

    start(&l, 9, 2);
    run(&l, 2 * HOUR);
    l.median_ms = 20;
    until(&l, true, HOUR);
    run(&l, DAY - HOUR);
    assert_true(view_of(&l).degraded);
    run(&l, 2 * HOUR);
    assert_false(view_of(&l).degraded);
    assert_float_equal(view_of(&l).usual.mean_seconds.value, 0.02266, 0.001);
    performance_destroy(l.performance);
}

static void counters_that_start_again_are_counted_from_0(void **state)
{
    struct load l;

    start(&l, 10, 5);
    run(&l, 1000);
    memset(&l.total, 0, sizeof(l.total));
    run(&l, 10);
    assert_in_range(view_of(&l).calls, 1000, 2500);
    performance_destroy(l.performance);
}

static void another_window_keeps_what_is_usual(void **state)
{
    struct load l;

    start(&l, 11, 5);
    run(&l, HOUR);
    performance_configure(l.performance, 60, 0.2, (uint64_t)(l.seconds + 1) * NS_PER_SECOND);
    assert_int_equal(view_of(&l).calls, 0);
    run(&l, 120);
    assert_null(view_of(&l).usual.missing);
    assert_float_equal(view_of(&l).window_seconds, 60, 6);
    performance_destroy(l.performance);
}

/* 40 of 100 against 30 of 100: pooled 0.35, standard error 0.0674537, z 1.48250. */
static void the_test_of_shares_is_the_textbooks(void **state)
{
    const struct baseline usual = {.calls = 100, .failed = 30},
                          recent = {.calls = 100, .failed = 40};
    const struct baseline none = {0};

    assert_float_equal(baseline_z_failed(&usual, &recent), 1.48250, 0.00001);
    assert_float_equal(baseline_z_failed(&recent, &usual), -1.48250, 0.00001);
    assert_float_equal(baseline_z_failed(&none, &recent), 0, 0);
    assert_float_equal(baseline_z_mean(&none, &recent), 0, 0);
    assert_float_equal(baseline_z_tail(&none, &recent, 0.95), 0, 0);
}

static void half_of_the_weight_is_forgotten_in_a_day(void **state)
{
    const struct traffic none = {0};
    struct traffic some = {.calls = 1000, .failed = 100};
    struct baseline b = {0};

    some.latency.slots[12] = 900;
    some.latency.sum_ns = 900 * 3000000ULL;
    baseline_learn(&b, &some, 0);
    baseline_learn(&b, &none, BASELINE_HALF_LIFE_NS);
    assert_float_equal(b.calls, 500, 1e-9);
    assert_float_equal(b.answered, 450, 1e-9);
    assert_float_equal(baseline_failed_share(&b), 0.1, 1e-9);
    assert_float_equal(baseline_mean_ns(&b), 3e6, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_the_window),
        cmocka_unit_test(calls_leave_the_window_though_none_come),
        cmocka_unit_test(nothing_is_known_before_it_is_measured),
        cmocka_unit_test(stationary_load_raises_no_alarm),
        cmocka_unit_test(a_step_of_30_percent_is_found_within_the_window),
        cmocka_unit_test(a_step_is_named_and_recovers),
        cmocka_unit_test(failures_are_named),
        cmocka_unit_test(a_service_that_never_failed_may_begin_to),
        cmocka_unit_test(twelve_bad_calls_at_night_do_not_page),
        cmocka_unit_test(slow_drift_is_followed_and_fast_drift_is_not),
        cmocka_unit_test(what_lasts_a_day_is_the_new_usual),
        cmocka_unit_test(counters_that_start_again_are_counted_from_0),
        cmocka_unit_test(another_window_keeps_what_is_usual),
        cmocka_unit_test(the_test_of_shares_is_the_textbooks),
        cmocka_unit_test(half_of_the_weight_is_forgotten_in_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
