#include "base/clock.h"
#include "breaker/call_window.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S NS_PER_SECOND

static struct call_window *create(enum call_window_kind kind, uint64_t length)
{
    struct call_window *w = NULL;

    assert_int_equal(call_window_create(&w, kind, length), 0);
    return w;
}

static void add(struct call_window *w, uint64_t now_ns, uint64_t count, uint64_t failed,
                uint64_t slow)
{
    call_window_add(w, now_ns, &(struct calls){count, failed, slow});
}

static void holds(struct call_window *w, uint64_t now_ns, uint64_t count, uint64_t failed,
                  uint64_t slow)
{
    struct calls sum;

    call_window_sum(w, now_ns, &sum);
    assert_int_equal(sum.count, count);
    assert_int_equal(sum.failed, failed);
    assert_int_equal(sum.slow, slow);
}

/* Call by call, against the plain list of all calls. */
static void the_last_calls_exactly(void **state)
{
    enum { CALLS = 3000, LENGTH = 37 };
    struct call_window *w = create(CALL_WINDOW_COUNT, LENGTH);
    bool failed[CALLS], slow[CALLS];

    srand48(3);
    for (int n = 0; n < CALLS; n++) {
        uint64_t f = 0, s = 0;
        int from = n + 1 > LENGTH ? n + 1 - LENGTH : 0;

        failed[n] = drand48() < 0.3;
        slow[n] = drand48() < 0.6;
        add(w, 0, 1, failed[n], slow[n]);
        for (int i = from; i <= n; i++) {
            f += failed[i];
            s += slow[i];
        }
        holds(w, 0, (uint64_t)(n + 1 - from), f, s);
    }
    call_window_destroy(w);
}

static void a_batch_longer_than_the_window_keeps_its_shares(void **state)
{
    struct call_window *w = create(CALL_WINDOW_COUNT, 100);

    add(w, 0, 1000000000, 250000000, 1000000000);
    holds(w, 0, 100, 25, 100);
    /* Half of it leaves: the other half is as good. */
    add(w, 0, 50, 0, 0);
    holds(w, 0, 100, 13, 50);
    call_window_destroy(w);
}

static void more_failures_than_calls_are_all_of_them(void **state)
{
    struct call_window *w = create(CALL_WINDOW_COUNT, 10);

    add(w, 0, 5, 9, 7);
    holds(w, 0, 5, 5, 5);
    add(w, 0, 0, 3, 3);
    holds(w, 0, 5, 5, 5);
    call_window_clear(w);
    holds(w, 0, 0, 0, 0);
    call_window_destroy(w);
}

/* Between its length and one bucket less, against the list of all ticks. */
static void the_calls_of_the_last_seconds(void **state)
{
    enum { TICKS = 2000 };
    const uint64_t length = 64 * S, bucket = 2 * S;
    struct call_window *w = create(CALL_WINDOW_TIME, length);
    uint64_t at[TICKS], calls[TICKS], now = 12345 * S;

    srand48(4);
    for (int n = 0; n < TICKS; n++) {
        uint64_t least = 0, most = 0;
        struct calls sum;

        now += (uint64_t)(drand48() * drand48() * 20 * (double)S);
        at[n] = now;
        calls[n] = (uint64_t)(drand48() * 50);
        add(w, now, calls[n], calls[n] / 2, 0);
        for (int i = 0; i <= n; i++) {
            least += now - at[i] < length - bucket ? calls[i] : 0;
            most += now - at[i] < length ? calls[i] : 0;
        }
        call_window_sum(w, now, &sum);
        assert_in_range(sum.count, least, most);
    }
    holds(w, now + length, 0, 0, 0);
    holds(w, now + 1000 * length, 0, 0, 0);
    call_window_destroy(w);
}

static void lengths_that_make_no_sense(void **state)
{
    struct call_window *w = NULL;

    assert_int_equal(call_window_create(&w, CALL_WINDOW_COUNT, 0), -EINVAL);
    assert_int_equal(call_window_create(&w, CALL_WINDOW_COUNT, 10001), -EINVAL);
    assert_int_equal(call_window_create(&w, CALL_WINDOW_TIME, 0), -EINVAL);
    assert_null(w);
    call_window_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_calls_exactly),
        cmocka_unit_test(a_batch_longer_than_the_window_keeps_its_shares),
        cmocka_unit_test(more_failures_than_calls_are_all_of_them),
        cmocka_unit_test(the_calls_of_the_last_seconds),
        cmocka_unit_test(lengths_that_make_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
