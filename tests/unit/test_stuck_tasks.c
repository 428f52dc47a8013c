#include "base/clock.h"
#include "model/stuck_tasks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define SLEEPING 0x0001
#define UNINTERRUPTIBLE 0x0002
#define KILLABLE (UNINTERRUPTIBLE | 0x0100)
#define IDLE (UNINTERRUPTIBLE | 0x0400)

static struct stuck_tasks *stuck;

static int set_up(void **state)
{
    return stuck_tasks_create(&stuck);
}

static int clean_up(void **state)
{
    stuck_tasks_destroy(stuck);
    return 0;
}

static struct task_row row_of(uint32_t pid, uint32_t state)
{
    struct task_row row = {.pid = pid, .tgid = pid, .ppid = 1, .state = state, .switches = 9};

    row.start_boot_ns = pid;
    snprintf(row.comm, sizeof(row.comm), "task-%u", pid);
    return row;
}

static void take(uint64_t now_ns, const struct task_row *rows, size_t count)
{
    stuck_tasks_begin(stuck, now_ns);
    for (size_t i = 0; i < count; i++)
        stuck_tasks_add(stuck, &rows[i]);
}

static void one_that_never_runs_is_stuck_since_it_was_seen_first(void **state)
{
    struct task_row rows[] = {row_of(10, UNINTERRUPTIBLE), row_of(11, KILLABLE),
                              row_of(12, SLEEPING), row_of(13, IDLE)};
    struct stuck_task longest[5];

    take(1 * SECOND, rows, 1);
    take(6 * SECOND, rows, 4);
    take(66 * SECOND, rows, 4);
    assert_int_equal(stuck_tasks_longest(stuck, longest, 5), 2);
    assert_int_equal(longest[0].pid, 10);
    assert_string_equal(longest[0].comm, "task-10");
    assert_true(longest[0].seconds == 65);
    assert_int_equal(longest[1].pid, 11);
    assert_true(longest[1].seconds == 60);
    assert_int_equal(stuck_tasks_longest(stuck, longest, 1), 1);
    assert_int_equal(longest[0].pid, 10);
}

/* A writer to a busy disk sleeps in every snapshot, and runs between them. */
static void one_that_ran_meanwhile_is_not(void **state)
{
    struct task_row row = row_of(10, UNINTERRUPTIBLE);
    struct stuck_task longest;

    for (uint64_t t = 0; t <= 120; t += 5) {
        row.switches++;
        take((1 + t) * SECOND, &row, 1);
    }
    assert_int_equal(stuck_tasks_longest(stuck, &longest, 1), 1);
    assert_true(longest.seconds == 0);
}

static void a_pid_used_again_and_one_that_woke_begin_anew(void **state)
{
    struct task_row row = row_of(10, UNINTERRUPTIBLE);
    struct stuck_task longest;

    take(1 * SECOND, &row, 1);
    row.start_boot_ns++;
    take(6 * SECOND, &row, 1);
    assert_int_equal(stuck_tasks_longest(stuck, &longest, 1), 1);
    assert_true(longest.seconds == 0);
    take(11 * SECOND, &row, 0);
    assert_int_equal(stuck_tasks_longest(stuck, &longest, 1), 0);
}

static void threads_of_the_kernel_do_not_count(void **state)
{
    struct task_row rows[] = {row_of(2, UNINTERRUPTIBLE), row_of(40, UNINTERRUPTIBLE)};
    struct stuck_task longest;

    rows[1].ppid = 2;
    take(1 * SECOND, rows, 2);
    take(99 * SECOND, rows, 2);
    assert_int_equal(stuck_tasks_longest(stuck, &longest, 1), 0);
}

static void more_than_there_is_room_for_are_left_out(void **state)
{
    struct task_row rows[300];
    struct stuck_task longest[5];

    for (uint32_t i = 0; i < 300; i++)
        rows[i] = row_of(100 + i, UNINTERRUPTIBLE);
    take(1 * SECOND, rows, 300);
    take(6 * SECOND, rows, 300);
    assert_int_equal(stuck_tasks_longest(stuck, longest, 5), 5);
    assert_true(longest[4].seconds == 5);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(one_that_never_runs_is_stuck_since_it_was_seen_first),
        WITH_TABLE(one_that_ran_meanwhile_is_not),
        WITH_TABLE(a_pid_used_again_and_one_that_woke_begin_anew),
        WITH_TABLE(threads_of_the_kernel_do_not_count),
        WITH_TABLE(more_than_there_is_room_for_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
