/* One wait and one sleep at a time: the record of a slow wait, and uninterruptible sleep by cgroup
 * and task. Durations are held between what the processes concerned measure around them. */
#include "abi/task.h"
#include "runq_fixture.h"
#include <dirent.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define THRESHOLD_NS (20 * NS_PER_MS)
#define HELD_NS (60 * NS_PER_MS)
#define SLEEPS 20
#define SLEEP_NS (10 * NS_PER_MS)
/* The run queue's clock stands still for up to a tick while one task runs. */
#define CLOCK_SLACK_NS (10 * NS_PER_MS)

static struct runq_fixture f;

/* Written by the workers, read by the test. */
struct times {
    uint64_t woken_ns, waking_ns, release_ns, running_ns;
    uint64_t around_ns; /* the sum of the sleeps and what is beside them */
    int wake[2];
};

static struct times *times;

static int clean_up(void **state)
{
    (void)state;
    if (times) {
        close(times->wake[0]);
        close(times->wake[1]);
        munmap(times, sizeof(*times));
    }
    times = NULL;
    return runq_teardown(&f);
}

static void share_times(void)
{
    times = mmap(NULL, sizeof(*times), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(times != MAP_FAILED);
    assert_int_equal(pipe2(times->wake, O_CLOEXEC), 0);
}

static void wait_to_run(void *ctx, int index)
{
    char byte;

    (void)ctx;
    (void)index;
    prctl(PR_SET_NAME, "mw-test-waiter");
    if (read(times->wake[0], &byte, 1) != 1)
        _exit(98);
    times->running_ns = monotonic_ns();
}

/* Wakes the other, which has the lower priority, and keeps the CPU. */
static void hold_cpu(void *ctx, int index)
{
    (void)ctx;
    (void)index;
    prctl(PR_SET_NAME, "mw-test-holder");
    times->waking_ns = monotonic_ns();
    if (write(times->wake[1], "w", 1) != 1)
        _exit(98);
    times->woken_ns = monotonic_ns();
    while (monotonic_ns() < times->woken_ns + HELD_NS)
        ;
    times->release_ns = monotonic_ns();
}

/* Since it was woken by the holder: before, the machine may have kept it waiting. */
static size_t slow_waits_of(const struct worker *waiter, struct record_slow_wait *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < f.probe.count; i++) {
        const union any_record *r = &f.probe.records[i];

        if (r->head.type != RECORD_SLOW_WAIT || r->slow_wait.pid != (uint32_t)waiter->pid ||
            r->head.time_ns < times->waking_ns)
            continue;
        *ret = r->slow_wait;
        count++;
    }
    return count;
}

/* Returns the waiter once both are done and every record was taken. */
static const struct worker *make_one_wait(enum probe_mode mode, uint64_t threshold_ns)
{
    const struct probe_config config = {.slow_wait_ns = threshold_ns};
    struct worker_figures before;
    uint64_t deadline;

    skip_unless_root();
    share_times();
    runq_make_cgroup(&f);
    worker_wait_asleep(worker_start(&f, wait_to_run, NULL));
    worker_wait_asleep(worker_start(&f, hold_cpu, NULL));
    worker_set_policy(&f, &f.workers[0], SCHED_FIFO, 10);
    worker_set_policy(&f, &f.workers[1], SCHED_FIFO, 20);
    worker_enter(&f.workers[0], f.cgroup);
    fixture_open_with(&f.probe, config, 1u << CONCERN_RUNQ, mode);
    before = workers_figures(&f);
    assert_int_equal(write(f.workers[0].go, "g", 1), 1);
    /* It must sleep in its second read, and not be about to leave the first. By the kernel's count:
     * the probe may not be told of the switch from one of the kernel's own threads. */
    deadline = monotonic_ns() + WORK_DEADLINE_NS;
    while (figures_since(&f, &before).voluntary == 0) {
        assert_true(monotonic_ns() < deadline);
        poll(NULL, 0, 1);
    }
    worker_wait_asleep(&f.workers[0]);
    assert_int_equal(write(f.workers[1].go, "g", 1), 1);
    workers_wait(&f);
    assert_true(probe_drain(f.probe.probe) >= 0);
    return &f.workers[0];
}

static void check_slow_wait(enum probe_mode mode)
{
    const struct worker *waiter = make_one_wait(mode, THRESHOLD_NS);
    struct record_slow_wait record;
    uint64_t least_ns = times->release_ns - times->woken_ns,
             most_ns = times->running_ns - times->waking_ns;

    assert_int_equal(slow_waits_of(waiter, &record), 1);
    print_message("waited %.2f ms, between %.2f and %.2f\n", (double)record.wait_ns / 1e6,
                  (double)least_ns / 1e6, (double)most_ns / 1e6);
    assert_in_range(record.wait_ns, least_ns - CLOCK_SLACK_NS, most_ns + CLOCK_SLACK_NS);
    assert_in_range(record.head.time_ns, times->release_ns, times->running_ns);
    assert_string_equal(record.comm, "mw-test-waiter");
    assert_int_equal(record.tgid, waiter->pid);
    assert_int_equal(record.cgroup_id, f.cgroup_id);
    assert_int_equal(record.priority_class, PRIORITY_REALTIME);
    assert_string_equal(record.running_comm, "mw-test-holder");
    assert_int_equal(record.running_pid, f.workers[1].pid);
    assert_int_equal(record.running_tgid, f.workers[1].pid);
}

static void a_slow_wait_tells_who_waited_and_who_ran(void **state)
{
    (void)state;
    check_slow_wait(PROBE_AUTO);
}

static void a_slow_wait_tells_who_waited_and_who_ran_in_the_twin(void **state)
{
    (void)state;
    check_slow_wait(PROBE_TWIN);
}

static void a_wait_below_the_threshold_makes_no_record(void **state)
{
    struct record_slow_wait record;
    const struct worker *waiter;

    (void)state;
    waiter = make_one_wait(PROBE_AUTO, 60 * NS_PER_SECOND);
    assert_true(cgroup_latency(&f, "runq_cgroup").sum_ns >= HELD_NS - CLOCK_SLACK_NS);
    assert_int_equal(slow_waits_of(waiter, &record), 0);
}

/* A parent by vfork() sleeps uninterruptibly until its child ends. This child has memory of its
 * own, and its time begins when the parent is asleep. */
static void sleep_uninterruptibly(void *ctx, int index)
{
    const struct timespec moment = {.tv_nsec = SLEEP_NS};

    (void)ctx;
    (void)index;
    for (int i = 0; i < SLEEPS; i++) {
        uint64_t before = monotonic_ns();
        long pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

        if (pid == 0) {
            const struct worker parent = {.pid = getppid()};

            worker_wait_asleep(&parent);
            nanosleep(&moment, NULL); /* on purpose: what the parent sleeps through */
            syscall(SYS_exit_group, 0);
        }
        if (pid < 0)
            _exit(98);
        times->around_ns += monotonic_ns() - before;
        waitpid((pid_t)pid, NULL, 0);
    }
}

static void find_blocked(void *ctx, const struct task_row *row)
{
    struct task_row *wanted = ctx;

    if (row->pid == wanted->pid)
        *wanted = *row;
}

/* How often init was given a CPU: a kernel may run no program while the task that it interrupted is
 * one that it shields (the init of a micro-VM), nor see whom such a task leaves the CPU to. */
static unsigned long long init_runs(void)
{
    DIR *tasks = opendir("/proc/1/task");
    unsigned long long sum = 0, runs;
    struct dirent *entry;
    char path[320];

    assert_non_null(tasks);
    while ((entry = readdir(tasks))) {
        FILE *file;

        snprintf(path, sizeof(path), "/proc/1/task/%s/schedstat", entry->d_name);
        file = fopen(path, "re");
        if (file && fscanf(file, "%*u %*u %llu", &runs) == 1)
            sum += runs;
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return sum;
}

/* False when fewer sleeps were seen than there were, and init may be why. */
static bool blocked_is_counted(enum probe_mode mode)
{
    unsigned long long init_before = init_runs();
    struct task_row row = {0};
    struct latency blocked;

    share_times();
    runq_make_cgroup(&f);
    worker_wait_asleep(worker_start(&f, sleep_uninterruptibly, NULL));
    worker_enter(&f.workers[0], f.cgroup);
    fixture_open(&f.probe, 1u << CONCERN_RUNQ | 1u << CONCERN_TASKS, mode);
    workers_let_go(&f);
    workers_wait(&f);
    blocked = cgroup_latency(&f, "blocked_cgrp");
    row.pid = (uint32_t)f.workers[0].pid;
    assert_true(probe_tasks_for_each(f.probe.probe, find_blocked, &row) > 0);
    print_message("%llu sleeps, %.2f ms in all; the task's %.2f; between %.2f and %.2f\n",
                  (unsigned long long)blocked.count, (double)blocked.sum_ns / 1e6,
                  (double)row.blocked_ns / 1e6, SLEEPS * (double)SLEEP_NS / 1e6,
                  (double)times->around_ns / 1e6);
    if (blocked.count < SLEEPS && init_runs() != init_before)
        return false;
    /* A page fault or the like may add one now and then. */
    assert_in_range(blocked.count, SLEEPS, 2 * SLEEPS - 1);
    assert_in_range(row.blocked_ns, SLEEPS * SLEEP_NS - CLOCK_SLACK_NS,
                    times->around_ns + CLOCK_SLACK_NS);
    assert_in_range(blocked.sum_ns, row.blocked_ns, row.blocked_ns + times->around_ns / 2);
    assert_int_equal(row.cgroup_id, f.cgroup_id);
    return true;
}

static void check_blocked(enum probe_mode mode)
{
    uint64_t deadline = monotonic_ns() + WORK_DEADLINE_NS;

    skip_unless_root();
    while (!blocked_is_counted(mode)) {
        assert_true(monotonic_ns() < deadline);
        clean_up(NULL);
    }
}

static void uninterruptible_sleep_is_counted_by_cgroup_and_task(void **state)
{
    (void)state;
    check_blocked(PROBE_AUTO);
}

static void uninterruptible_sleep_is_counted_in_the_twin(void **state)
{
    (void)state;
    check_blocked(PROBE_TWIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_slow_wait_tells_who_waited_and_who_ran, clean_up),
        cmocka_unit_test_teardown(a_slow_wait_tells_who_waited_and_who_ran_in_the_twin, clean_up),
        cmocka_unit_test_teardown(a_wait_below_the_threshold_makes_no_record, clean_up),
        cmocka_unit_test_teardown(uninterruptible_sleep_is_counted_by_cgroup_and_task, clean_up),
        cmocka_unit_test_teardown(uninterruptible_sleep_is_counted_in_the_twin, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
