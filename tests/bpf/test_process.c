/* Crashes that really happen, against what wait() says of them. */
#include "abi/process.h"
#include "own_cgroup.h"
#include "probe_fixture.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define COMM "mw-test-crash"

static struct probe_fixture f;
static char cgroup[320];

static uint64_t make_cgroup(void)
{
    char mount[256];

    assert_true(cgroup_mount(NULL, mount, sizeof(mount)));
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-test-%d", mount, getpid());
    return cgroup_make(cgroup);
}

static int clean_up(void **state)
{
    (void)state;
    fixture_close(&f);
    cgroup_remove(cgroup);
    return 0;
}

static void fault(void)
{
    volatile int *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *page = 1;
}

static void *crash_in_thread(void *unused)
{
    (void)unused;
    fault();
    return NULL;
}

static bool leader_ended(void)
{
    char path[64], line[256] = "", *after;
    FILE *stat;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
    stat = fopen(path, "r");
    if (!stat)
        return false;
    if (!fgets(line, sizeof(line), stat))
        line[0] = '\0';
    fclose(stat);
    after = strrchr(line, ')');
    return after && after[2] == 'Z';
}

static void *crash_after_leader(void *unused)
{
    (void)unused;
    while (!leader_ended())
        sched_yield();
    fault();
    return NULL;
}

static void *exit_after_leader(void *unused)
{
    (void)unused;
    while (!leader_ended())
        sched_yield();
    syscall(SYS_exit, 5);
    return NULL;
}

static void start_thread(void *(*fn)(void *))
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, fn, NULL) != 0)
        _exit(99);
}

static void die_segv(void)
{
    fault();
}

static void die_abort(void)
{
    abort();
}

static void die_exit_3(void)
{
    _exit(3);
}

static void die_exit_0(void)
{
    _exit(0);
}

static void die_killed(void)
{
    kill(getpid(), SIGKILL);
}

static void die_in_thread(void)
{
    start_thread(crash_in_thread);
    for (;;)
        pause();
}

static void die_after_leader(void)
{
    start_thread(crash_after_leader);
    syscall(SYS_exit, 0);
}

static void exit_last_in_thread(void)
{
    start_thread(exit_after_leader);
    syscall(SYS_exit, 0);
}

static pthread_barrier_t all_there;

static void *exit_together(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&all_there);
    syscall(SYS_exit, 6);
    return NULL;
}

/* No thread is the obvious last one. */
static void die_together(void)
{
    pthread_barrier_init(&all_there, NULL, 8);
    for (int i = 0; i < 7; i++)
        start_thread(exit_together);
    exit_together(NULL);
}

struct child {
    pid_t pid;
    int status; /* of waitpid */
    uint64_t age_min_ns, age_max_ns;
};

static struct child run_child(void (*die)(void), const char *in_cgroup)
{
    const struct timespec life = {.tv_nsec = 2 * 1000 * 1000};
    uint64_t before = monotonic_ns(), forked, dead;
    struct child child = {0};

    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        const struct rlimit no_core = {0};

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        prctl(PR_SET_NAME, COMM);
        if (in_cgroup && !cgroup_write(in_cgroup, "cgroup.procs", "0"))
            _exit(98);
        nanosleep(&life, NULL); /* on purpose: a life of known length at least */
        die();
        _exit(97);
    }
    forked = monotonic_ns();
    assert_int_equal(waitpid(child.pid, &child.status, 0), child.pid);
    dead = monotonic_ns();
    child.age_min_ns = (uint64_t)life.tv_nsec;
    child.age_max_ns = dead - before;
    assert_true(forked >= before);
    return child;
}

/* A later crash has been reported: whatever was to come of the earlier ones is there. */
static void settle(void)
{
    struct child marker = run_child(die_exit_3, NULL);

    fixture_wait(&f, fixture_has_exit, &marker.pid, "the marker's record");
}

static size_t exits_of(pid_t pid, struct record_exit *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < f.count; i++) {
        if (f.records[i].head.type != RECORD_EXIT || f.records[i].exit.pid != (uint32_t)pid)
            continue;
        *ret = f.records[i].exit;
        count++;
    }
    return count;
}

struct kind {
    const char *name;
    void (*die)(void);
    bool recorded;
};

static const struct kind kinds[] = {
    {"SIGSEGV", die_segv, true},
    {"SIGABRT", die_abort, true},
    {"SIGKILL", die_killed, true},
    {"exit 3", die_exit_3, true},
    {"exit 0", die_exit_0, false},
    {"SIGSEGV in another thread", die_in_thread, true},
    {"SIGSEGV after the leader ended", die_after_leader, true},
    {"exit 5 of the last thread after the leader ended", exit_last_in_thread, true},
    {"exit of eight threads at once", die_together, true},
};

static void each_abnormal_exit_makes_one_record(void **state)
{
    uint64_t id;

    (void)state;
    skip_unless_root();
    id = make_cgroup();
    fixture_open(&f, 1u << CONCERN_PROCESS, PROBE_AUTO);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct child child = run_child(kinds[i].die, cgroup);
        struct record_exit record = {0};
        size_t count;

        settle();
        count = exits_of(child.pid, &record);
        if (count != kinds[i].recorded)
            fail_msg("%s: %zu records", kinds[i].name, count);
        if (!count)
            continue;
        print_message("%s: signal %u status %u age %.1f ms\n", kinds[i].name, record.signal,
                      record.status, (double)record.age_ns / 1e6);
        assert_int_equal(record.signal, WIFSIGNALED(child.status) ? WTERMSIG(child.status) : 0);
        assert_int_equal(record.status, WIFEXITED(child.status) ? WEXITSTATUS(child.status) : 0);
        assert_int_equal(record.ppid, getpid());
        assert_string_equal(record.comm, COMM);
        assert_int_equal(record.cgroup_id, id);
        assert_in_range(record.age_ns, child.age_min_ns, child.age_max_ns);
    }
}

static void threads_that_race_to_the_end_make_one_record(void **state)
{
    struct record_exit record;

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_PROCESS, PROBE_AUTO);
    for (int i = 0; i < 200; i++) {
        struct child child = run_child(die_together, NULL);

        settle();
        assert_int_equal(exits_of(child.pid, &record), 1);
        assert_int_equal(record.status, WEXITSTATUS(child.status));
        f.count = 0;
    }
}

static void a_crash_wakes_the_reader(void **state)
{
    struct pollfd ring = {.events = POLLIN};
    struct child child;

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_PROCESS, PROBE_AUTO);
    ring.fd = probe_ring_fd(f.probe);
    /* Others that crash wake it as well: until it is ours. */
    child = run_child(die_segv, NULL);
    while (!fixture_has_exit(&f, &child.pid)) {
        assert_int_equal(poll(&ring, 1, DEADLINE_NS / NS_PER_MS), 1);
        assert_true(probe_drain(f.probe) >= 0);
    }
}

/* Of one cgroup, summed over the CPUs. */
static struct process_stats stats_of_cgroup;
static uint64_t cgroup_wanted;

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    (void)ctx;
    for (unsigned cpu = 0; cpu < cpus && *(const uint64_t *)key == cgroup_wanted; cpu++) {
        const struct process_stats *s = (const void *)((const char *)values + cpu * stride);

        stats_of_cgroup.forks += s->forks;
        stats_of_cgroup.execs += s->execs;
        stats_of_cgroup.exits += s->exits;
        stats_of_cgroup.exits_abnormal += s->exits_abnormal;
        stats_of_cgroup.exits_by_signal += s->exits_by_signal;
    }
}

static void child_of_family(int i)
{
    if (i % 2)
        execl("/bin/true", "true", (char *)NULL);
    if (i % 10 == 0)
        kill(getpid(), SIGUSR1);
    _exit(i % 4 == 0 ? 1 : 0);
}

static void *do_nothing(void *unused)
{
    return unused;
}

/* Threads are started and end in between, and must not count. */
static void die_with_family(void)
{
    pthread_t thread;

    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();

        if (pid == 0)
            child_of_family(i);
        waitpid(pid, NULL, 0);
        if (pthread_create(&thread, NULL, do_nothing, NULL) == 0)
            pthread_join(thread, NULL);
    }
    _exit(0);
}

static void lifecycles_are_counted_in_their_cgroup(void **state)
{
    struct child family;
    int signalled = 0, failed = 0;

    (void)state;
    skip_unless_root();
    cgroup_wanted = make_cgroup();
    for (int i = 0; i < 100; i += 2) {
        signalled += i % 10 == 0;
        failed += i % 10 && i % 4 == 0;
    }
    fixture_open(&f, 1u << CONCERN_PROCESS, PROBE_AUTO);
    family = run_child(die_with_family, cgroup);
    assert_int_equal(family.status, 0);
    memset(&stats_of_cgroup, 0, sizeof(stats_of_cgroup));
    assert_true(probe_map_for_each(f.probe, "process_cgrp", add_row, NULL) > 0);
    assert_int_equal(stats_of_cgroup.forks, 100);
    assert_int_equal(stats_of_cgroup.execs, 50);
    assert_int_equal(stats_of_cgroup.exits, 101); /* the parent was born outside */
    assert_int_equal(stats_of_cgroup.exits_by_signal, signalled);
    assert_int_equal(stats_of_cgroup.exits_abnormal, signalled + failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_abnormal_exit_makes_one_record, clean_up),
        cmocka_unit_test_teardown(threads_that_race_to_the_end_make_one_record, clean_up),
        cmocka_unit_test_teardown(a_crash_wakes_the_reader, clean_up),
        cmocka_unit_test_teardown(lifecycles_are_counted_in_their_cgroup, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
