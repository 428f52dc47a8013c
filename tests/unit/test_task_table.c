#include "base/clock.h"
#include "model/rss_history.h"
#include "model/task_table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define MIB (1024.0 * 1024)
#define KNOWS_ALL (TASK_KNOWS_RUN_DELAY | TASK_KNOWS_IO)

static struct task_table *table;

static int set_up(void **state)
{
    (void)state;
    return task_table_create(&table);
}

static int clean_up(void **state)
{
    (void)state;
    task_table_destroy(table);
    return 0;
}

static struct task_row row_of(uint32_t pid, uint32_t tgid)
{
    struct task_row row = {.pid = pid, .tgid = tgid, .start_boot_ns = tgid, .known = KNOWS_ALL};

    snprintf(row.comm, sizeof(row.comm), "task-%u", tgid);
    return row;
}

static void take(uint64_t now_ns, const struct task_row *rows, size_t count)
{
    task_table_begin(table, now_ns, true, 4);
    for (size_t i = 0; i < count; i++)
        task_table_add(table, &rows[i]);
    assert_int_equal(task_table_end(table), 0);
}

static struct process_row process(uint32_t pid)
{
    struct process_row row;

    assert_true(task_table_find(table, pid, &row));
    return row;
}

static void assert_value(struct reading reading, double value)
{
    assert_true(reading_known(reading));
    assert_true(fabs(reading.value - value) < 1e-6);
}

static void threads_are_summed_whatever_their_order(void **state)
{
    struct task_row rows[3] = {row_of(5, 10), row_of(10, 10), row_of(11, 10)};

    (void)state;
    rows[1].rss_anon_bytes = 3000;
    rows[1].rss_shmem_bytes = 1000;
    for (int i = 0; i < 3; i++) {
        rows[i].on_cpu_ns = 100;
        rows[i].run_delay_ns = 10;
    }
    take(1 * SECOND, rows, 3);
    for (int i = 0; i < 3; i++) {
        rows[i].on_cpu_ns += SECOND / 2;
        rows[i].run_delay_ns += SECOND / 4;
        rows[i].blocked_ns += SECOND / 8;
        rows[i].read_bytes += 4096;
    }
    take(6 * SECOND, rows, 3);
    assert_int_equal(task_table_processes(table), 1);
    assert_int_equal(task_table_threads(table), 3);
    assert_int_equal(process(10).thread_count, 3);
    assert_int_equal(process(10).rss_bytes, 4000);
    assert_string_equal(process(10).comm, "task-10");
    assert_value(process(10).cpu_percent, 30);
    assert_value(process(10).run_delay_percent, 15);
    assert_value(process(10).blocked_percent, 7.5);
    assert_value(process(10).read_bytes_per_second, 3 * 4096 / 5.0);
    assert_value(process(10).written_bytes_per_second, 0);
}

static void memory_of_a_process_whose_leader_ended_counts_once(void **state)
{
    struct task_row rows[3] = {row_of(10, 10), row_of(11, 10), row_of(12, 10)};

    (void)state;
    rows[1].rss_anon_bytes = 4000;
    rows[2].rss_anon_bytes = 5000; /* it grew meanwhile */
    take(1 * SECOND, rows, 3);
    assert_int_equal(process(10).rss_bytes, 5000);
}

/* A stream of processes of a few seconds each: every one is new when it is seen. */
static void what_a_young_process_took_it_took_since_the_last_snapshot(void **state)
{
    struct task_row rows[2] = {row_of(10, 10), row_of(20, 20)};

    (void)state;
    take(1 * SECOND, rows, 1);
    rows[1].on_cpu_ns = 4 * SECOND;
    rows[1].children_cpu_ns = 2 * SECOND;
    take(6 * SECOND, rows, 2);
    assert_value(process(20).cpu_percent, 80);
    assert_value(process(20).short_children_cpu_percent, 40);
    take(6 * SECOND + 1, rows, 2);
    assert_value(process(20).cpu_percent, 80);
    rows[1].on_cpu_ns += SECOND;
    take(11 * SECOND, rows, 2);
    assert_true(fabs(process(20).cpu_percent.value - 20) < 0.01);
    assert_value(process(20).short_children_cpu_percent, 0);
}

/* Older than others that were there: why no snapshot had it is not known. */
static void a_process_not_seen_before_has_no_shares(void **state)
{
    struct task_row rows[2] = {row_of(10, 10), row_of(20, 20)};
    const struct task_query by_cpu = {.order = TOP_CPU};
    struct process_row top[TOP_COUNT];

    (void)state;
    rows[1].start_boot_ns = 5;
    take(1 * SECOND, rows, 1);
    rows[0].on_cpu_ns = SECOND;
    rows[1].on_cpu_ns = 5 * SECOND;
    take(6 * SECOND, rows, 2);
    assert_false(reading_known(process(20).cpu_percent));
    assert_non_null(process(20).cpu_percent.missing);
    assert_int_equal(task_table_top(table, &by_cpu, top, TOP_COUNT), 1);
    assert_int_equal(top[0].pid, 10);
}

static void a_pid_used_again_is_another_process(void **state)
{
    struct task_row row = row_of(10, 10);

    (void)state;
    row.on_cpu_ns = 4 * SECOND;
    row.rss_anon_bytes = 1 << 20;
    take(1 * SECOND, &row, 1);
    take(6 * SECOND, &row, 1);
    row.start_boot_ns++;
    row.on_cpu_ns = 1 * SECOND;
    take(11 * SECOND, &row, 1);
    assert_value(process(10).cpu_percent, 20);
    assert_false(reading_known(process(10).rss_bytes_per_second));
}

static void what_the_kernel_cannot_tell_is_missing(void **state)
{
    struct task_row row = row_of(10, 10);

    (void)state;
    row.known = 0;
    for (uint64_t t = 1; t <= 11; t += 5) {
        task_table_begin(table, t * SECOND, false, 4);
        task_table_add(table, &row);
        assert_int_equal(task_table_end(table), 0);
    }
    assert_true(reading_known(process(10).cpu_percent));
    assert_false(reading_known(process(10).run_delay_percent));
    assert_false(reading_known(process(10).blocked_percent));
    assert_false(reading_known(process(10).read_bytes_per_second));
    assert_false(reading_known(process(10).written_bytes_per_second));
}

static void a_sum_that_shrank_is_missing(void **state)
{
    struct task_row rows[2] = {row_of(10, 10), row_of(11, 10)};

    (void)state;
    rows[1].run_delay_ns = SECOND;
    take(1 * SECOND, rows, 2);
    take(6 * SECOND, rows, 1);
    assert_false(reading_known(process(10).run_delay_percent));
    assert_true(reading_known(process(10).cpu_percent));
}

/* An OOM kill makes a snapshot at any time. */
static void a_snapshot_soon_after_keeps_the_interval(void **state)
{
    struct task_row row = row_of(10, 10);

    (void)state;
    take(1 * SECOND, &row, 1);
    row.on_cpu_ns = SECOND;
    take(6 * SECOND, &row, 1);
    row.on_cpu_ns += SECOND / 10;
    take(6 * SECOND + SECOND / 10, &row, 1);
    assert_value(process(10).cpu_percent, 100 * 1.1 / 5.1);
}

static struct task_row child_of(uint32_t pid, uint32_t ppid)
{
    struct task_row row = row_of(pid, pid);

    row.ppid = ppid;
    return row;
}

/* make starts hundreds of compilers that no snapshot sees. */
static void time_of_short_children_is_told_of_who_waited_for_them(void **state)
{
    struct task_row rows[2] = {child_of(10, 1), child_of(20, 10)};
    const struct task_query by_cpu = {.order = TOP_CPU};
    struct process_row top[TOP_COUNT];

    (void)state;
    rows[0].children_cpu_ns = 100 * SECOND; /* of former times */
    take(1 * SECOND, rows, 2);
    rows[0].children_cpu_ns += 8 * SECOND;
    rows[1].on_cpu_ns += 2 * SECOND;
    take(6 * SECOND, rows, 2);
    assert_value(process(10).cpu_percent, 0);
    assert_value(process(10).short_children_cpu_percent, 160);
    assert_int_equal(task_table_top(table, &by_cpu, top, TOP_COUNT), 2);
    assert_int_equal(top[0].pid, 10);
    assert_int_equal(top[1].pid, 20);
}

/* It took 60 s, each second of which was told while it ran. */
static void a_long_child_that_ends_is_not_told_again(void **state)
{
    struct task_row rows[2] = {child_of(10, 1), child_of(20, 10)};

    (void)state;
    rows[1].on_cpu_ns = 55 * SECOND;
    take(1 * SECOND, rows, 2);
    rows[1].on_cpu_ns = 60 * SECOND;
    take(6 * SECOND, rows, 2);
    assert_value(process(20).cpu_percent, 100);
    rows[0].children_cpu_ns = 61 * SECOND; /* a second more after the last snapshot */
    take(11 * SECOND, rows, 1);
    assert_value(process(10).short_children_cpu_percent, 20);
}

/* The parent's row was read before it waited for the child, whose row was not there any more. */
static void a_child_that_ends_within_a_snapshot_is_not_told_again(void **state)
{
    struct task_row rows[2] = {child_of(10, 1), child_of(20, 10)};

    (void)state;
    rows[1].on_cpu_ns = 60 * SECOND;
    take(1 * SECOND, rows, 2);
    take(6 * SECOND, rows, 1);
    assert_value(process(10).short_children_cpu_percent, 0);
    rows[0].children_cpu_ns = 60 * SECOND;
    take(11 * SECOND, rows, 1);
    assert_value(process(10).short_children_cpu_percent, 0);
    rows[0].children_cpu_ns += SECOND;
    take(16 * SECOND, rows, 1);
    assert_value(process(10).short_children_cpu_percent, 20);
}

static void a_child_that_nobody_waits_for_hides_nothing_for_long(void **state)
{
    struct task_row rows[2] = {child_of(10, 1), child_of(20, 10)};

    (void)state;
    rows[1].on_cpu_ns = 600 * SECOND;
    take(1 * SECOND, rows, 2);
    for (uint64_t i = 1; i <= 5; i++) {
        rows[0].children_cpu_ns += SECOND;
        take((1 + 5 * i) * SECOND, rows, 1);
    }
    assert_value(process(10).short_children_cpu_percent, 20);
}

/* A shell script ends, and its long child with it, which whoever comes next in line waits for. */
static void a_child_whose_parent_ended_is_told_of_nobody(void **state)
{
    static const size_t waits[] = {0, 1}; /* init, or the manager of a session */

    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        struct task_row rows[5] = {child_of(1, 0), child_of(5, 1), child_of(10, 5),
                                   child_of(20, 10), child_of(30, 20)};

        task_table_destroy(table);
        assert_int_equal(task_table_create(&table), 0);
        rows[4].on_cpu_ns = 60 * SECOND;
        take(1 * SECOND, rows, 5);
        rows[waits[i]].children_cpu_ns = 60 * SECOND;
        take(6 * SECOND, rows, 3);
        assert_value(process(1).short_children_cpu_percent, 0);
        assert_value(process(5).short_children_cpu_percent, 0);
        assert_value(process(10).short_children_cpu_percent, 0);
    }
}

/* A script starts its commands at once and waits at its end: until then they are there, ended. */
static void children_that_are_waited_for_at_once_are_not_told_again(void **state)
{
    struct task_row rows[9];

    (void)state;
    rows[0] = child_of(10, 1);
    take(1 * SECOND, rows, 1);
    for (uint32_t i = 1; i <= 8; i++) {
        rows[i] = child_of(20 + i, 10);
        rows[i].on_cpu_ns = 2 * SECOND;
    }
    take(6 * SECOND, rows, 9);
    assert_value(process(21).cpu_percent, 40);
    for (uint64_t i = 0; i < 10; i++)
        take((11 + 5 * i) * SECOND, rows, 9);
    rows[0].children_cpu_ns = 16 * SECOND;
    take(61 * SECOND, rows, 1);
    assert_value(process(10).short_children_cpu_percent, 0);
}

/* A guest that stood still for a minute: the task that ran then seems to have run all the while. */
static void no_process_takes_more_than_there_is(void **state)
{
    struct task_row rows[4] = {row_of(10, 10), row_of(20, 20), row_of(21, 20), row_of(30, 30)};

    (void)state;
    take(1 * SECOND, rows, 4);
    rows[0].on_cpu_ns = 60 * SECOND;
    rows[0].blocked_ns = 60 * SECOND;
    rows[0].run_delay_ns = 60 * SECOND;
    rows[1].on_cpu_ns = 60 * SECOND;
    rows[1].blocked_ns = 60 * SECOND;
    rows[3].children_cpu_ns = 60 * SECOND;
    take(6 * SECOND, rows, 4);
    assert_value(process(10).cpu_percent, 100);
    assert_value(process(10).blocked_percent, 100);
    assert_value(process(10).run_delay_percent, 100);
    assert_value(process(20).cpu_percent, 400);
    assert_value(process(20).blocked_percent, 200);
    assert_value(process(30).short_children_cpu_percent, 400);
}

static void the_highest_come_first_and_zeros_not_at_all(void **state)
{
    static const unsigned sizes[] = {3, 9, 0, 4, 7, 1, 8};
    static const unsigned expected[] = {9, 8, 7, 4, 3};
    const struct task_query by_rss = {.order = TOP_RSS};
    struct process_row top[TOP_COUNT];
    struct task_row rows[7];

    (void)state;
    for (uint32_t i = 0; i < 7; i++) {
        rows[i] = row_of(i + 1, i + 1);
        rows[i].rss_file_bytes = sizes[i];
    }
    take(1 * SECOND, rows, 7);
    assert_int_equal(task_table_top(table, &by_rss, top, TOP_COUNT), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(top[i].rss_bytes, expected[i]);
    take(6 * SECOND, rows, 3);
    assert_int_equal(task_table_top(table, &by_rss, top, TOP_COUNT), 2);
    assert_int_equal(task_table_top(table, &by_rss, top, 1), 1);
}

static bool in_group_7(void *ctx, uint64_t memory_cgroup_id)
{
    (void)ctx;
    return memory_cgroup_id == 7;
}

static void ended_processes_stay_for_a_while(void **state)
{
    const struct task_query now = {.order = TOP_RSS};
    const struct task_query inside = {.order = TOP_RSS, .with_ended = true, .inside = in_group_7};
    struct process_row top[TOP_COUNT];
    struct task_row rows[3] = {row_of(10, 10), row_of(20, 20), row_of(30, 30)};

    (void)state;
    for (int i = 0; i < 3; i++) {
        rows[i].rss_anon_bytes = 1000;
        rows[i].memory_cgroup_id = i < 2 ? 7 : 8;
    }
    take(1 * SECOND, rows, 3);
    take(2 * SECOND, rows, 1);
    assert_int_equal(task_table_top(table, &now, top, TOP_COUNT), 1);
    assert_int_equal(task_table_top(table, &inside, top, TOP_COUNT), 2);
    take(1 * SECOND + TASK_TABLE_ENDED_NS, rows, 1);
    assert_int_equal(task_table_top(table, &inside, top, TOP_COUNT), 2);
    take(2 * SECOND + TASK_TABLE_ENDED_NS, rows, 1);
    assert_int_equal(task_table_top(table, &inside, top, TOP_COUNT), 1);
    assert_int_equal(process(10).pid, 10);
}

/* More than the table begins with, pids far apart and reused slots. */
static void many_processes_come_and_go(void **state)
{
    (void)state;
    for (uint64_t t = 1; t < 200; t += 6) {
        task_table_begin(table, t * SECOND, true, 4);
        for (uint32_t i = 0; i < 2000; i++) {
            uint32_t pid = (uint32_t)((i * 7919 + (i % 2 ? t : 0) * 104729) % 4194304) + 1;
            struct task_row row = row_of(pid, pid);

            row.rss_anon_bytes = pid;
            task_table_add(table, &row);
        }
        assert_int_equal(task_table_end(table), 0);
        assert_int_equal(task_table_processes(table), 2000);
        for (uint32_t i = 0; i < 2000; i += 2)
            assert_int_equal(process(i * 7919 % 4194304 + 1).rss_bytes, i * 7919 % 4194304 + 1);
    }
}

static void a_steady_leak_has_its_slope(void **state)
{
    struct rss_history history = {0};
    uint64_t t;

    (void)state;
    for (t = 100; t <= 1300; t += 5) {
        uint64_t rss = (t - 100) << 20;

        rss_history_add(&history, t * SECOND, rss);
        if (t > 105) {
            struct reading trend = rss_history_trend(&history, t * SECOND, rss);

            assert_true(reading_known(trend));
            assert_true(fabs(trend.value - MIB) < 1024);
        }
    }
    assert_int_equal(history.count, RSS_SAMPLES);
    assert_true(history.samples[RSS_SAMPLES - 1].time_ms - history.samples[0].time_ms == 300000);
}

static void an_old_leak_is_forgotten_and_a_sawtooth_is_none(void **state)
{
    struct rss_history history = {0};
    uint64_t t;

    (void)state;
    for (t = 0; t < 600; t += 5)
        rss_history_add(&history, t * SECOND, t << 20);
    for (; t < 1200; t += 5)
        rss_history_add(&history, t * SECOND, 600 << 20);
    assert_true(fabs(rss_history_trend(&history, t * SECOND, 600 << 20).value) < 1);

    memset(&history, 0, sizeof(history));
    for (t = 0; t <= 600; t += 5)
        rss_history_add(&history, t * SECOND, (100 + t % 40) << 20);
    /* It rises by 1 MiB/s and falls back every 40 s. */
    assert_true(fabs(rss_history_trend(&history, 600 * SECOND, 100 << 20).value) < MIB / 10);
}

static void one_moment_is_no_trend(void **state)
{
    struct rss_history history = {0};

    (void)state;
    assert_false(reading_known(rss_history_trend(&history, SECOND, 1)));
    rss_history_add(&history, SECOND, 1 << 20);
    assert_false(reading_known(rss_history_trend(&history, SECOND, 1 << 20)));
    assert_false(reading_known(rss_history_trend(&history, 2 * SECOND, 2 << 20)));
    assert_value(rss_history_trend(&history, 5 * SECOND, 5 << 20), MIB);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(threads_are_summed_whatever_their_order),
        WITH_TABLE(memory_of_a_process_whose_leader_ended_counts_once),
        WITH_TABLE(what_a_young_process_took_it_took_since_the_last_snapshot),
        WITH_TABLE(a_process_not_seen_before_has_no_shares),
        WITH_TABLE(a_pid_used_again_is_another_process),
        WITH_TABLE(what_the_kernel_cannot_tell_is_missing),
        WITH_TABLE(a_sum_that_shrank_is_missing),
        WITH_TABLE(a_snapshot_soon_after_keeps_the_interval),
        WITH_TABLE(time_of_short_children_is_told_of_who_waited_for_them),
        WITH_TABLE(a_long_child_that_ends_is_not_told_again),
        WITH_TABLE(a_child_that_ends_within_a_snapshot_is_not_told_again),
        WITH_TABLE(a_child_that_nobody_waits_for_hides_nothing_for_long),
        WITH_TABLE(a_child_whose_parent_ended_is_told_of_nobody),
        WITH_TABLE(children_that_are_waited_for_at_once_are_not_told_again),
        WITH_TABLE(no_process_takes_more_than_there_is),
        WITH_TABLE(the_highest_come_first_and_zeros_not_at_all),
        WITH_TABLE(ended_processes_stay_for_a_while),
        WITH_TABLE(many_processes_come_and_go),
        cmocka_unit_test(a_steady_leak_has_its_slope),
        cmocka_unit_test(an_old_leak_is_forgotten_and_a_sawtooth_is_none),
        cmocka_unit_test(one_moment_is_no_trend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
