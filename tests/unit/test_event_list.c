#include "collect/event_list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct event_list list;

static int set_up(void **state)
{
    (void)state;
    return event_list_open(&list, sizeof(int), 4);
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
    add(6, 15);
    assert_int_equal(event_list_publish(&list), 4);
    expect(4, (int[]){15, 14, 13, 12});
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
        cmocka_unit_test_setup_teardown(a_reused_row_is_zeroed, set_up, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
