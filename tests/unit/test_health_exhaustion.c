/* What runs out for one service: when it is told, and when it is everyday life. */
#include "health_fixture.h"

static void a_process_near_its_limit_of_files_is_told_after_half_a_minute(void **state)
{
    struct fixture *f = *state;
    struct process_files row = {.pid = 7, .comm = "nginx", .open = 1000, .limit = 1024};

    row.usage_percent = 97.7;
    f->snapshot.process.files_of = &row;
    f->snapshot.process.files_of_count = 1;
    fixture_ticks(f, 30);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "nginx (pid 7) has 98 % of its open files (1000 of 1024), warning at 90 "
                          "%; find what leaks them or raise LimitNOFILE");
}

/* A linker, an archiver: many files for some seconds. */
static void a_build_that_opens_many_files_is_not(void **state)
{
    struct fixture *f = *state;
    struct process_files row = {.pid = 7, .comm = "ld", .open = 1000, .limit = 1024};

    f->snapshot.process.files_of = &row;
    f->snapshot.process.files_of_count = 1;
    for (int i = 0; i < 20; i++) {
        row.usage_percent = 98;
        fixture_ticks(f, 25);
        row.usage_percent = 40;
        fixture_ticks(f, 5);
        fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    }
}

static void a_refused_fork_is_told_at_once_and_for_five_minutes(void **state)
{
    struct fixture *f = *state;
    struct cgroup_pids row = {.path = "/web.service", .current = 12, .limit = 512};
    struct check_view check;

    row.usage_percent = 2.3;
    row.refused_total = 37;
    row.refused_ns = f->snapshot.monotonic_ns;
    f->snapshot.process.cgroup_pids = &row;
    f->snapshot.process.cgroup_pids_count = 1;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "cgroup /web.service has 12 of 512 tasks, 37 forks were refused, the "
                          "last 1 s ago, warning at 95 %; find what forks or raise pids.max "
                          "(TasksMax)");
    assert_true(health_find_check(f->health, "cgroup_pids:/web.service", &check));
    fixture_ticks(f, 298);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_ticks(f, 32);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static void a_cgroup_near_its_limit_is_told_but_no_sandbox(void **state)
{
    struct fixture *f = *state;
    struct cgroup_pids rows[2] = {{.path = "/sandbox", .current = 2, .limit = 2},
                                  {.path = "/api", .current = 490, .limit = 512}};

    rows[0].usage_percent = 100;
    rows[1].usage_percent = 90;
    f->snapshot.process.cgroup_pids = rows;
    f->snapshot.process.cgroup_pids_count = 2;
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    rows[1].usage_percent = 96;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
}

static struct listener *listening(struct fixture *f, struct listener *row)
{
    *row = (struct listener){.port = 8080, .backlog = 128, .cgroup = "/web.service"};
    f->snapshot.network.listeners = row;
    f->snapshot.network.listener_count = 1;
    return row;
}

static void an_accept_queue_that_overflows_for_minutes_is_critical(void **state)
{
    struct fixture *f = *state;
    struct listener row;

    listening(f, &row)->queue = 129;
    row.usage_percent = 100;
    row.drops_total = 37;
    /* Whoever waits outside tries again after 1, 3, 7, 15 s. */
    for (int i = 0; i < 20; i++) {
        row.drop_ns = f->snapshot.monotonic_ns + SECOND;
        fixture_ticks(f, 16);
        fixture_expect(f, COMPONENT_RESOURCES,
                       i == 0   ? STATUS_HEALTHY
                       : i < 17 ? STATUS_DEGRADED
                                : STATUS_UNHEALTHY);
        if (i == 0)
            fixture_ticks(f, 16);
    }
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "accept queue of port 8080 in cgroup /web.service overflows: 129 wait "
                          "(backlog 128), 37 connections dropped, critical at 100 %; it does not "
                          "accept, or not fast enough");
}

static void one_overflow_and_a_queue_nobody_waits_for_are_not_told(void **state)
{
    struct fixture *f = *state;
    struct listener row;

    listening(f, &row)->usage_percent = 20;
    fixture_ticks(f, 5);
    row.drops_total = 12;
    row.drop_ns = f->snapshot.monotonic_ns;
    for (int i = 0; i < 200; i++) {
        fixture_ticks(f, 1);
        fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    }
    /* A debugger holds the server: full, and nobody else comes. */
    row.usage_percent = 100;
    fixture_ticks(f, 1000);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static void stuck(struct fixture *f, size_t count, double seconds)
{
    struct process_snapshot *process = &f->snapshot.process;

    process->stuck_count = count;
    for (size_t i = 0; i < count; i++)
        process->stuck[i] = (struct stuck_task){.pid = 8 + (uint32_t)i,
                                                .tgid = 7 + (uint32_t)i,
                                                .comm = "dd",
                                                .seconds = seconds,
                                                .wait_channel = "percpu_rwsem_wait"};
}

static void three_writers_stuck_for_a_minute_are_told(void **state)
{
    struct fixture *f = *state;

    stuck(f, 3, 55);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    stuck(f, 3, 60);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "3 tasks are stuck in uninterruptible sleep: dd (pid 7 in "
                          "percpu_rwsem_wait) 60 s, dd (pid 8 in percpu_rwsem_wait) 60 s, warning "
                          "at three tasks for 60.0 s");
    stuck(f, 3, 300);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(
        f, COMPONENT_RESOURCES,
        "3 tasks are stuck in uninterruptible sleep: dd (pid 7 in "
        "percpu_rwsem_wait) 5 min, dd (pid 8 in percpu_rwsem_wait) 5 min, critical "
        "at three tasks for 300.0 s");
    stuck(f, 0, 0);
    fixture_ticks(f, 2);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static void long_names_leave_room_for_the_level(void **state)
{
    struct fixture *f = *state;
    struct stuck_task *tasks = f->snapshot.process.stuck;

    stuck(f, 3, 60);
    for (size_t i = 0; i < 3; i++) {
        memcpy(tasks[i].comm, "postgres: walwr", sizeof("postgres: walwr"));
        snprintf(tasks[i].wait_channel, sizeof(tasks[i].wait_channel), "jbd2_log_wait_commit");
        tasks[i].tgid = 4194304;
    }
    fixture_ticks(f, 1);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "3 tasks are stuck in uninterruptible sleep: postgres: walwr (pid "
                          "4194304 in jbd2_log_wait_commit) 60 s, warning at three tasks for "
                          "60.0 s");
}

/* A `df` on a dead mount hangs for itself, for ever. */
static void one_stuck_task_is_told_and_never_critical(void **state)
{
    struct fixture *f = *state;

    stuck(f, 1, 115);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    stuck(f, 2, 86400);
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "2 tasks are stuck in uninterruptible sleep: dd (pid 7 in "
                          "percpu_rwsem_wait) 24 h, dd (pid 8 in percpu_rwsem_wait) 24 h, warning "
                          "at one task for 120.0 s");
}

static void what_cannot_be_read_degrades_nothing(void **state)
{
    struct fixture *f = *state;

    f->snapshot.process.files_of_missing = "/proc: No such file or directory";
    f->snapshot.process.cgroup_pids_missing = "no cgroup hierarchy has the pids controller";
    f->snapshot.network.listeners_missing = "sock_diag: No such file or directory";
    f->snapshot.process.top_missing = "no BPF";
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_process_near_its_limit_of_files_is_told_after_half_a_minute),
        FIXTURE_TEST(a_build_that_opens_many_files_is_not),
        FIXTURE_TEST(a_refused_fork_is_told_at_once_and_for_five_minutes),
        FIXTURE_TEST(a_cgroup_near_its_limit_is_told_but_no_sandbox),
        FIXTURE_TEST(an_accept_queue_that_overflows_for_minutes_is_critical),
        FIXTURE_TEST(one_overflow_and_a_queue_nobody_waits_for_are_not_told),
        FIXTURE_TEST(three_writers_stuck_for_a_minute_are_told),
        FIXTURE_TEST(long_names_leave_room_for_the_level),
        FIXTURE_TEST(one_stuck_task_is_told_and_never_critical),
        FIXTURE_TEST(what_cannot_be_read_degrades_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
