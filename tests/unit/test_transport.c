/* What TCP did below the calls, over a window that moves on, from totals known exactly. */
#include "base/clock.h"
#include "service/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define S NS_PER_SECOND
#define WINDOW 10.0

static struct transport t;
static struct call_stats total;

static int set_up(void **state)
{
    t = (struct transport){0};
    total = (struct call_stats){.bytes_sent = 1000, .segments_sent = 100, .retransmits = 50};
    return 0;
}

static struct transport_view fed(uint64_t seconds)
{
    struct transport_view view;

    transport_feed(&t, WINDOW, seconds * S, &total);
    transport_view(&t, &view);
    return view;
}

static void nothing_is_known_at_first(void **state)
{
    struct transport_view view;

    transport_view(&t, &view);
    assert_false(reading_known(view.sent_bytes_per_second));
    /* What was counted before the first time is of no window. */
    view = fed(100);
    assert_false(reading_known(view.retransmit_percent));
    assert_false(reading_known(view.round_trip_seconds));
    view = fed(101);
    assert_true(view.sent_bytes_per_second.value == 0);
    assert_false(reading_known(view.retransmit_percent));
}

static void the_window_tells_shares_and_rates(void **state)
{
    struct transport_view view;

    fed(100);
    total.segments_sent += 200;
    total.retransmits += 3;
    total.bytes_sent += 5000;
    total.bytes_received += 800;
    total.srtt_ns_sum += 3 * 2000000;
    total.srtt_count += 3;
    view = fed(104);
    assert_true(view.window_seconds == 4);
    assert_true(view.retransmit_percent.value == 1.5);
    assert_true(view.sent_bytes_per_second.value == 1250);
    assert_true(view.received_bytes_per_second.value == 200);
    assert_true(view.round_trip_seconds.value == 0.002);
}

static void what_leaves_the_window_is_forgotten(void **state)
{
    struct transport_view view;

    fed(100);
    total.segments_sent += 10;
    total.retransmits += 10;
    for (uint64_t second = 101; second <= 111; second++)
        view = fed(second);
    assert_true(view.window_seconds == WINDOW);
    assert_false(reading_known(view.retransmit_percent));
}

static void fresh_maps_and_another_window_begin_anew(void **state)
{
    struct transport_view view;

    fed(100);
    fed(101);
    total = (struct call_stats){.segments_sent = 7};
    view = fed(102);
    assert_true(view.window_seconds == 0);
    total.segments_sent = 9;
    view = fed(103);
    assert_true(view.retransmit_percent.value == 0);
    transport_feed(&t, 2 * WINDOW, 104 * S, &total);
    transport_view(&t, &view);
    assert_true(view.window_seconds == 0);
}

/* SYNs sent again carry no payload, and so may outnumber what does. */
static void a_share_is_at_most_all(void **state)
{
    fed(100);
    total.segments_sent += 2;
    total.retransmits += 5;
    assert_true(fed(101).retransmit_percent.value == 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_known_at_first, set_up),
        cmocka_unit_test_setup(the_window_tells_shares_and_rates, set_up),
        cmocka_unit_test_setup(what_leaves_the_window_is_forgotten, set_up),
        cmocka_unit_test_setup(fresh_maps_and_another_window_begin_anew, set_up),
        cmocka_unit_test_setup(a_share_is_at_most_all, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
