#include "collect/event_list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct event_list list;

static int set_up(void **state)
{
    (void)state;
    return event_list_open(&list, sizeof(int), 4, 10);
}

static int clean_up(void **state)
{
    (void)state;
    event_list_close(&list);
    return 0;
}

static void add(int from, int to)
{
    for (int i = from; i <= to; i++)
        *(int *)event_list_add(&list) = i;
}

static void expect(size_t count, const int *values)
{
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(*(int *)event_list_row(&list, i), values[i]);
}

static void rows_show_newest_first_and_only_when_published(void **state)
{
    (void)state;
    add(1, 2);
    assert_int_equal(list.count, 0);
    assert_int_equal(event_list_publish(&list), 2);
    expect(2, (int[]){2, 1});
    add(3, 3);
    expect(2, (int[]){2, 1});
    assert_int_equal(event_list_publish(&list), 1);
    expect(3, (int[]){3, 2, 1});
    assert_int_equal(event_list_publish(&list), 0);
    expect(3, (int[]){3, 2, 1});
}

static void the_oldest_give_way(void **state)
{
    (void)state;
    add(1, 3);
    event_list_publish(&list);
    add(4, 5);
    assert_int_equal(event_list_publish(&list), 2);
    expect(4, (int[]){5, 4, 3, 2});
    add(6, 6);
    assert_int_equal(event_list_publish(&list), 1);
    expect(4, (int[]){6, 5, 4, 3});
}

/* Of as many as a burst may have none is lost, and once they were shown the usual number is kept.
 */
static void a_burst_is_shown_whole_once(void **state)
{
    (void)state;
    add(1, 2);
    event_list_publish(&list);
    add(3, 12);
    assert_int_equal(event_list_publish(&list), 10);
    expect(10, (int[]){12, 11, 10, 9, 8, 7, 6, 5, 4, 3});
    assert_int_equal(event_list_publish(&list), 0);
    expect(4, (int[]){12, 11, 10, 9});
    add(13, 13);
    assert_int_equal(event_list_publish(&list), 1);
    expect(4, (int[]){13, 12, 11, 10});
}

static void what_is_beyond_a_burst_is_missing_in_the_numbers(void **state)
{
    (void)state;
    add(1, 25);
    assert_int_equal(list.total, 25);
    assert_int_equal(event_list_publish(&list), 10);
    expect(10, (int[]){25, 24, 23, 22, 21, 20, 19, 18, 17, 16});
}

static void a_reused_row_is_zeroed(void **state)
{
    (void)state;
    add(1, 4);
    assert_int_equal(*(int *)event_list_add(&list), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_show_newest_first_and_only_when_published, set_up,
                                        clean_up),
        cmocka_unit_test_setup_teardown(the_oldest_give_way, set_up, clean_up),
        cmocka_unit_test_setup_teardown(a_burst_is_shown_whole_once, set_up, clean_up),
        cmocka_unit_test_setup_teardown(what_is_beyond_a_burst_is_missing_in_the_numbers, set_up,
                                        clean_up),
        cmocka_unit_test_setup_teardown(a_reused_row_is_zeroed, set_up, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
