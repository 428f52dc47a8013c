/* The event collector, fed by hand. */
#include "abi/exit.h"
#include "collect/collector.h"
#include "model/task_table.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* No cgroups are mounted there: ids stay without names. */
static const struct host nowhere = {
    .root = "/", .proc = "/nonexistent", .sys = "/nonexistent", .own_proc = "/nonexistent"};

static struct collector_env env;
static struct snapshot shot;
static struct task_table *table;
static void *collector;
static uint64_t tick_ns;

static int set_up(void **state)
{
    (void)state;
    tick_ns = NS_PER_SECOND;
    memset(&shot, 0, sizeof(shot));
    env = (struct collector_env){.host = &nowhere, .clock = clock_system()};
    collector = calloc(1, event_collector.state_size);
    if (!collector || cgroup_paths_create(&env.cgroups, &nowhere, CGROUP_UNIFIED) < 0 ||
        cgroup_paths_create(&env.memory_cgroups, &nowhere, CGROUP_MEMORY) < 0 ||
        task_table_create(&table) < 0)
        return -1;
    return event_collector.open(collector, &env);
}

static int clean_up(void **state)
{
    (void)state;
    event_collector.close(collector);
    free(collector);
    cgroup_paths_destroy(env.cgroups);
    cgroup_paths_destroy(env.memory_cgroups);
    task_table_destroy(table);
    return 0;
}

static void sample(void)
{
    tick_ns += NS_PER_SECOND;
    event_collector.sample(collector, tick_ns, &shot);
}

static void send_exit(uint32_t pid, uint32_t signal, uint32_t status, uint64_t time_ns)
{
    struct record_exit record = {
        .head = {.type = RECORD_EXIT, .time_ns = time_ns},
        .pid = pid,
        .signal = signal,
        .status = status,
        .cgroup_id = 5,
    };

    event_collector.on_record(collector, &record.head, time_ns + 7);
}

static void an_empty_snapshot_has_no_events(void **state)
{
    (void)state;
    sample();
    assert_int_equal(shot.events.oom_count, 0);
    assert_int_equal(shot.events.exit_count, 0);
    assert_int_equal(shot.events.stall_count, 0);
    assert_int_equal(shot.events.connect_failed_count, 0);
}

static void exits_are_newest_first_whatever_their_kind(void **state)
{
    (void)state;
    send_exit(1, SIGSEGV, 0, 10);
    send_exit(2, 0, 3, 20);
    send_exit(3, SIGTERM, 0, 30);
    send_exit(4, SIGABRT, 0, 40);
    sample();
    assert_int_equal(shot.events.exit_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(shot.events.abnormal_exits[i].record.pid, 4 - i);
    assert_int_equal(shot.events.abnormal_exits[0].realtime_ns, 47);
    assert_string_equal(shot.events.abnormal_exits[0].cgroup_path, "");
    assert_true(shot.events.abnormal_exits_total == 4);
    assert_true(shot.events.crashes_total == 2);
}

static void everyday_exits_do_not_push_crashes_out(void **state)
{
    size_t crashes = 0;

    (void)state;
    send_exit(1, SIGSEGV, 0, 1);
    send_exit(2, SIGABRT, 0, 2);
    for (uint32_t i = 0; i < 1000; i++) {
        send_exit(100 + i, 0, 1, 10 + i);
        if (i % 100 == 0)
            sample();
    }
    sample();
    assert_true(shot.events.exit_count <= EVENTS_KEPT);
    for (size_t i = 0; i < shot.events.exit_count; i++)
        crashes += shot.events.abnormal_exits[i].record.signal != 0;
    assert_int_equal(crashes, 2);
    assert_int_equal(shot.events.abnormal_exits[0].record.pid, 1099);
    assert_true(shot.events.abnormal_exits_total == 1002);
}

static void what_is_shown_stands_still_between_ticks(void **state)
{
    (void)state;
    send_exit(1, SIGSEGV, 0, 1);
    sample();
    for (uint32_t i = 0; i < 100; i++)
        send_exit(100 + i, SIGSEGV, 0, 10 + i);
    assert_int_equal(shot.events.exit_count, 1);
    assert_int_equal(shot.events.abnormal_exits[0].record.pid, 1);
}

static void crash_at(const char *comm, uint64_t cgroup_id, uint64_t second)
{
    struct record_exit record = {
        .head = {.type = RECORD_EXIT, .time_ns = second * NS_PER_SECOND},
        .signal = SIGSEGV,
        .cgroup_id = cgroup_id,
    };

    snprintf(record.comm, sizeof(record.comm), "%s", comm);
    event_collector.on_record(collector, &record.head, 1);
}

static void sample_at(uint64_t second)
{
    event_collector.sample(collector, second * NS_PER_SECOND, &shot);
}

static void each_crash_of_a_burst_can_be_read_once(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        crash_at(i % 2 ? "a" : "b", 5, 1);
    sample_at(1);
    assert_int_equal(shot.events.crash_rows, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(shot.events.crashes[i].number, 1000 - i);
    assert_int_equal(shot.events.exit_count, EVENTS_KEPT / 2);
    assert_int_equal(shot.events.crashes[0].repeats, 500);
    sample_at(2);
    assert_int_equal(shot.events.crash_rows, EVENTS_KEPT / 2);
    assert_int_equal(shot.events.crashes[0].number, 1000);
}

static void three_crashes_of_one_service_are_a_loop(void **state)
{
    (void)state;
    for (uint64_t second = 100; second <= 200; second += 100) {
        crash_at("api", 7, second);
        crash_at("api", 8, second); /* another service that happens to be called so */
        sample_at(second);
    }
    assert_int_equal(shot.events.crash_loop_count, 0);
    crash_at("api", 7, 300);
    /* Neither those of others nor everyday exits make it forgotten. */
    for (uint32_t i = 0; i < 600; i++) {
        char comm[COMM_BYTES];

        snprintf(comm, sizeof(comm), "once%u", i);
        crash_at(comm, 9, 300);
        send_exit(i, 0, 1, 300 * NS_PER_SECOND);
    }
    sample_at(301);
    assert_int_equal(shot.events.crash_loop_count, 1);
    assert_int_equal(shot.events.crash_loops[0].count, 3);
    assert_string_equal(shot.events.crash_loops[0].last.record.comm, "api");
    assert_int_equal(shot.events.crash_loops[0].last.record.cgroup_id, 7);
    /* The first crash is five minutes old: two are left. */
    sample_at(405);
    assert_int_equal(shot.events.crash_loop_count, 0);
}

/* The main process of a service ended with this status after so many seconds. */
static void fail_at(const char *unit, const char *comm, uint32_t status, uint64_t second,
                    uint64_t age_seconds)
{
    struct record_exit record = {
        .head = {.type = RECORD_EXIT, .time_ns = second * NS_PER_SECOND},
        .status = status,
        .age_ns = age_seconds * NS_PER_SECOND,
        .facts = EXIT_HEADS_CGROUP,
        .cgroup_id = second, /* systemd makes a new one each time */
    };

    snprintf(record.comm, sizeof(record.comm), "%s", comm);
    snprintf(record.cgroup_name, sizeof(record.cgroup_name), "%s", unit);
    event_collector.on_record(collector, &record.head, 1);
}

/* These two have one FNV-1a hash: whoever may choose his name would share another's loop. */
static void names_of_one_weak_hash_are_two_services(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 80; i++)
        fail_at(i % 2 ? "8yn0iYCKYHlIj4-BwPqk.service" : "GReLUrM4wMqfg9yzV3KQ.service", "x", 1,
                100 + 2 * i, 1);
    sample_at(262);
    assert_int_equal(shot.events.crash_loop_count, 2);
}

static void a_service_that_fails_again_and_again_is_a_loop(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 80; i++)
        fail_at("web.service", i % 2 ? "python3" : "(python3)", i % 3 ? 1 : 2, 100 + 2 * i, 1);
    fail_at("db.service", "db", 1, 260, 1);
    sample_at(262);
    assert_int_equal(shot.events.crash_rows, 81);
    assert_int_equal(shot.events.crashes[0].kind, ENDED_FAILED);
    assert_true(shot.events.failures_total == 81);
    assert_true(shot.events.crashes_total == 0);
    assert_int_equal(shot.events.crash_loop_count, 1);
    assert_int_equal(shot.events.crash_loops[0].count, 80);
    /* A name is no path. */
    assert_string_equal(shot.events.crash_loops[0].last.cgroup_path, "");
}

/* A job that a timer starts every minute is one failure each time; a slow loop is one all the same,
 * and one that a manager slows down goes on to be. */
static void a_failing_job_is_no_loop(void **state)
{
    (void)state;
    for (uint64_t minute = 1; minute <= 10; minute++) {
        fail_at("backup.service", "backup", 1, 60 * minute + 20, 20);
        sample_at(60 * minute + 21);
        assert_int_equal(shot.events.crash_loop_count, 0);
    }
    for (uint64_t i = 0; i < 3; i++)
        fail_at("slow.service", "slow", 1, 1000 + 90 * i, 60);
    sample_at(1181);
    assert_int_equal(shot.events.crash_loop_count, 1);
    fail_at("slow.service", "slow", 1, 1270, 1);
    sample_at(1271);
    assert_int_equal(shot.events.crash_loops[0].count, 4);
}

/* Two programs in the one cgroup of their supervisor. */
static void a_supervisors_children_are_counted_apart(void **state)
{
    struct record_exit record = {.head = {.type = RECORD_EXIT}, .status = 1, .cgroup_id = 5};

    (void)state;
    snprintf(record.parent_comm, sizeof(record.parent_comm), "supervisord");
    for (uint64_t i = 0; i < 4; i++) {
        record.head.time_ns = (100 + i) * NS_PER_SECOND;
        snprintf(record.comm, sizeof(record.comm), "%s", i % 2 ? "web" : "db");
        event_collector.on_record(collector, &record.head, 1);
    }
    sample_at(105);
    assert_int_equal(shot.events.crash_rows, 4);
    assert_int_equal(shot.events.crashes[0].repeats, 2);
    assert_int_equal(shot.events.crash_loop_count, 0);
}

static void an_end_of_a_stop_is_no_failure(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        fail_at("web.service", "java", 143, 100 + 2 * i, 1);
        fail_at("session-1.scope", "bash", 1, 100 + 2 * i, 1);
    }
    sample_at(120);
    assert_int_equal(shot.events.crash_rows, 0);
    assert_int_equal(shot.events.crash_loop_count, 0);
    assert_true(shot.events.abnormal_exits_total == 10);
}

static void kill_at(const char *unit, uint32_t signal, uint32_t facts, uint64_t second)
{
    struct record_exit record = {
        .head = {.type = RECORD_EXIT, .time_ns = second * NS_PER_SECOND},
        .signal = signal,
        .age_ns = NS_PER_SECOND,
        .facts = facts,
        .pid = (uint32_t)second,
        .cgroup_id = second,
        .comm = "web",
    };

    snprintf(record.cgroup_name, sizeof(record.cgroup_name), "%s", unit);
    event_collector.on_record(collector, &record.head, 1);
}

/* One SIGKILL is what ends a stop that took too long; one every two seconds is an outage. */
static void a_service_that_is_killed_again_and_again_is_a_loop(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        kill_at("web.service", SIGKILL, EXIT_HEADS_CGROUP, 100 + 2 * i);
    sample_at(107);
    assert_int_equal(shot.events.crash_rows, 0);
    assert_int_equal(shot.events.crash_loop_count, 0);
    kill_at("web.service", SIGKILL, EXIT_HEADS_CGROUP, 108);
    sample_at(109);
    assert_int_equal(shot.events.crash_rows, 1);
    assert_int_equal(shot.events.crashes[0].kind, ENDED_KILLED);
    assert_int_equal(shot.events.crashes[0].repeats, 5);
    assert_int_equal(shot.events.crash_loop_count, 1);
    assert_int_equal(shot.events.crash_loops[0].count, 5);
    assert_string_equal(shot.events.crash_loops[0].last.record.cgroup_name, "web.service");
    assert_true(shot.events.crashes_total == 0);
    assert_true(shot.events.failures_total == 0);
}

static void a_kill_that_is_meant_is_no_loop(void **state)
{
    char unit[32];

    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t second = 100 + 2 * i;

        kill_at("web.service", SIGTERM, EXIT_HEADS_CGROUP, second);
        /* A worker, a container's main process, a shell that logged in. */
        kill_at("web.service", SIGKILL, 0, second);
        kill_at("docker-1.scope", SIGKILL, EXIT_HEADS_CGROUP | EXIT_HEADS_NAMESPACE, second);
        kill_at("session-1.scope", SIGKILL, EXIT_HEADS_CGROUP, second);
        /* Each connection a service of its own. */
        snprintf(unit, sizeof(unit), "job@%u.service", (unsigned)i);
        kill_at(unit, SIGKILL, EXIT_HEADS_CGROUP, second);
        /* A timer's. */
        kill_at("minutely.service", SIGKILL, EXIT_HEADS_CGROUP, 1000 + 60 * i);
    }
    sample_at(1541);
    assert_int_equal(shot.events.crash_rows, 0);
    assert_int_equal(shot.events.crash_loop_count, 0);
    /* Two stops that took too long, and a failure. */
    kill_at("db.service", SIGKILL, EXIT_HEADS_CGROUP, 1600);
    kill_at("db.service", SIGKILL, EXIT_HEADS_CGROUP, 1602);
    fail_at("db.service", "db", 1, 1604, 1);
    sample_at(1605);
    assert_int_equal(shot.events.crash_loop_count, 0);
}

static void what_the_oom_killer_killed_is_its_own(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        struct record_oom oom = {
            .head = {.type = RECORD_OOM, .time_ns = (100 + 2 * i) * NS_PER_SECOND},
            .pid = (uint32_t)(100 + 2 * i)};

        event_collector.on_record(collector, &oom.head, 1);
        kill_at("web.service", SIGKILL, EXIT_HEADS_CGROUP, 100 + 2 * i);
    }
    sample_at(120);
    assert_int_equal(shot.events.crash_loop_count, 0);
}

static void each_type_of_record_has_a_name(void **state)
{
    (void)state;
    for (int t = 0; t < RECORD_TYPE_COUNT; t++)
        assert_string_not_equal(record_type_name((enum record_type)t), "unknown");
}

static void add_process(uint32_t pid, uint64_t rss, uint64_t memory_cgroup_id)
{
    struct task_row row = {
        .pid = pid,
        .tgid = pid,
        .start_boot_ns = pid,
        .rss_anon_bytes = rss,
        .memory_cgroup_id = memory_cgroup_id,
    };

    snprintf(row.comm, sizeof(row.comm), "p%u", pid);
    task_table_add(table, &row);
}

static void send_oom(uint32_t pid, uint64_t limit_cgroup_id)
{
    struct record_oom record = {
        .head = {.type = RECORD_OOM, .time_ns = 5 * NS_PER_SECOND},
        .pid = pid,
        .cgroup_id = 70,
        .limit_cgroup_id = limit_cgroup_id,
        .anon_rss_bytes = 450,
        .file_rss_bytes = 50,
    };

    snprintf(record.comm, sizeof(record.comm), "p%u", pid);
    event_collector.on_record(collector, &record.head, 1);
}

static void take_snapshot(void)
{
    task_table_begin(table, 3 * NS_PER_SECOND, true, 4);
    for (uint32_t pid = 1; pid <= 9; pid++)
        add_process(pid, 100ull * pid, pid % 2 ? 70 : 80);
    assert_int_equal(task_table_end(table), 0);
    shot.process.tasks = table;
}

static void assert_top(const struct oom_capsule *oom, size_t count, const uint32_t *pids)
{
    assert_int_equal(oom->top_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(oom->top[i].pid, pids[i]);
}

static void a_capsule_of_the_host_lists_its_largest(void **state)
{
    (void)state;
    take_snapshot();
    send_oom(8, 0);
    sample();
    assert_int_equal(shot.events.oom_count, 1);
    assert_true(shot.events.ooms[0].global);
    /* The victim has the size of its record, 500. */
    assert_top(&shot.events.ooms[0], 5, (uint32_t[]){9, 7, 6, 5, 8});
    assert_int_equal(shot.events.ooms[0].top[4].rss_bytes, 500);
    assert_int_equal(shot.events.ooms[0].snapshot_age_ns, 2 * NS_PER_SECOND);
}

static void a_capsule_of_a_cgroup_lists_only_that(void **state)
{
    (void)state;
    take_snapshot();
    send_oom(1, 70);
    sample();
    assert_false(shot.events.ooms[0].global);
    assert_top(&shot.events.ooms[0], 5, (uint32_t[]){9, 7, 5, 1, 3});
}

static void an_unknown_victim_is_listed_all_the_same(void **state)
{
    (void)state;
    take_snapshot();
    send_oom(1234, 0);
    sample();
    assert_top(&shot.events.ooms[0], 5, (uint32_t[]){9, 8, 7, 6, 1234});
    assert_false(reading_known(shot.events.ooms[0].top[4].rss_bytes_per_second));

    shot.process.tasks = NULL;
    send_oom(1235, 0);
    sample();
    assert_int_equal(shot.events.oom_count, 2);
    assert_top(&shot.events.ooms[0], 1, (uint32_t[]){1235});
    assert_true(shot.events.ooms_total == 2);
}

#define FED(test) cmocka_unit_test_setup_teardown(test, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FED(an_empty_snapshot_has_no_events),
        FED(exits_are_newest_first_whatever_their_kind),
        FED(everyday_exits_do_not_push_crashes_out),
        FED(what_is_shown_stands_still_between_ticks),
        FED(each_crash_of_a_burst_can_be_read_once),
        FED(three_crashes_of_one_service_are_a_loop),
        FED(a_service_that_fails_again_and_again_is_a_loop),
        FED(names_of_one_weak_hash_are_two_services),
        FED(a_failing_job_is_no_loop),
        FED(a_supervisors_children_are_counted_apart),
        FED(an_end_of_a_stop_is_no_failure),
        FED(a_service_that_is_killed_again_and_again_is_a_loop),
        FED(a_kill_that_is_meant_is_no_loop),
        FED(what_the_oom_killer_killed_is_its_own),
        FED(each_type_of_record_has_a_name),
        FED(a_capsule_of_the_host_lists_its_largest),
        FED(a_capsule_of_a_cgroup_lists_only_that),
        FED(an_unknown_victim_is_listed_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
