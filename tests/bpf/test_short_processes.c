/* Processes that come and go between two task snapshots, waited for or not, against what the kernel
 * counts for their cgroup. */
#include "collect/short_processes.h"
#include "own_cgroup.h"
#include "task_snapshot.h"
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CHILDREN 30
#define SETTLED_NS (5 * NS_PER_SECOND)
#define BURNT_NS (10 * NS_PER_MS)
#define COMM "mw-test-short"

static struct probe_fixture f;
/* Of cgroup v2, by which the kernel side counts, and the one whose CPU time the kernel counts. */
static char cgroup[320], accounted[320];
static pid_t waiter;

static int clean_up(void **state)
{
    (void)state;
    if (waiter > 0) {
        kill(waiter, SIGKILL);
        waitpid(waiter, NULL, 0);
    }
    waiter = 0;
    fixture_close(&f);
    cgroup_remove(cgroup);
    cgroup_remove(accounted);
    return 0;
}

static void make_cgroups(void)
{
    char mount[256];

    assert_true(cgroup_mount(NULL, mount, sizeof(mount)));
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-test-%d", mount, getpid());
    assert_true(cgroup_make(cgroup) > 0);
    snprintf(accounted, sizeof(accounted), "%s", cgroup);
    if (!cgroup_mount("cpuacct", mount, sizeof(mount)))
        return;
    snprintf(accounted, sizeof(accounted), "%s/moonwatch-test-%d", mount, getpid());
    assert_true(cgroup_make(accounted) > 0);
}

static void enter_cgroups(void)
{
    if (!cgroup_write(cgroup, "cgroup.procs", "0") || !cgroup_write(accounted, "cgroup.procs", "0"))
        _exit(98);
}

static uint64_t read_number(const char *file, const char *format)
{
    unsigned long long value = 0;
    char path[512];
    FILE *in;

    snprintf(path, sizeof(path), "%s/%s", accounted, file);
    in = fopen(path, "re");
    if (!in)
        return 0;
    assert_int_equal(fscanf(in, format, &value), 1);
    fclose(in);
    return value;
}

static uint64_t usage_ns(void)
{
    uint64_t v1 = read_number("cpuacct.usage", "%llu");

    return v1 ? v1 : read_number("cpu.stat", "usage_usec %llu") * 1000;
}

static void *burn(void *unused)
{
    struct timespec t;

    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    while (t.tv_sec == 0 && (uint64_t)t.tv_nsec < BURNT_NS);
    return unused;
}

static void burn_and_end(void)
{
    prctl(PR_SET_NAME, COMM);
    burn(NULL);
    _exit(0);
}

static void burn_by_thread(void)
{
    pthread_t thread;

    prctl(PR_SET_NAME, COMM);
    if (pthread_create(&thread, NULL, burn, NULL) != 0 || pthread_join(thread, NULL) != 0)
        _exit(97);
    _exit(0);
}

static void run_ignored(void (*end)(void))
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0)
            end();
}

static void run_not_kept(void (*end)(void))
{
    const struct sigaction none = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

    sigaction(SIGCHLD, &none, NULL);
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0)
            end();
}

/* As daemons begin; who waits for them in the end is somebody else. */
static void run_as_daemons(void (*end)(void))
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t between = fork();

        if (between == 0) {
            setsid();
            if (fork() == 0)
                end();
            _exit(0);
        }
        waitpid(between, NULL, 0);
    }
}

static void run_waited_for(void (*end)(void))
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();

        if (child == 0)
            end();
        waitpid(child, NULL, 0);
    }
}

static const struct kind {
    const char *name;
    void (*run)(void (*end)(void));
    void (*end)(void);
} kinds[] = {
    {"SIGCHLD ignored", run_ignored, burn_and_end}, {"SA_NOCLDWAIT", run_not_kept, burn_and_end},
    {"double forks", run_as_daemons, burn_and_end}, {"waited for", run_waited_for, burn_and_end},
    {"in threads", run_ignored, burn_by_thread},
};

struct found {
    uint64_t cgroup_id;
    struct short_stats named, all; /* of the cgroup */
};

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct found *found = ctx;
    struct short_key k;

    memcpy(&k, key, sizeof(k));
    for (unsigned cpu = 0; k.cgroup_id == found->cgroup_id && cpu < cpus; cpu++) {
        const struct short_stats *stats =
            (const void *)((const char *)values + (size_t)cpu * stride);

        found->all.processes += stats->processes;
        found->all.cpu_ns += stats->cpu_ns;
        if (strcmp(k.comm, COMM) != 0)
            continue;
        found->named.processes += stats->processes;
        found->named.cpu_ns += stats->cpu_ns;
    }
}

static struct found count(void)
{
    struct found found = {0};
    struct stat st;

    assert_int_equal(stat(cgroup, &st), 0);
    found.cgroup_id = st.st_ino;
    assert_true(probe_map_for_each(f.probe, "process_short", add_row, &found) >= 0);
    return found;
}

/* The kernel frees an ended task a moment later. Some kernels run no program in the interrupts of
 * their host's own threads: false once no more come. */
static bool wait_for_processes(uint64_t named, uint64_t all, struct found *found)
{
    uint64_t since_ns = monotonic_ns(), before = 0;

    while (*found = count(), found->named.processes < named || found->all.processes < all) {
        if (found->all.processes != before) {
            before = found->all.processes;
            since_ns = monotonic_ns();
        }
        if (monotonic_ns() - since_ns > SETTLED_NS)
            return false;
        poll(NULL, 0, 10);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    return true;
}

static void start(const struct kind *kind)
{
    pid_t parent = fork();

    assert_true(parent >= 0);
    if (parent == 0) {
        enter_cgroups();
        kind->run(kind->end);
        _exit(0);
    }
    assert_int_equal(waitpid(parent, NULL, 0), parent);
}

/* Of a run of which nothing was lost. */
static void run_whole(const struct kind *kind)
{
    uint64_t deadline_ns = monotonic_ns() + DEADLINE_NS, used, used_before;
    struct found before = {0}, found = {0};
    bool whole;

    do {
        if (monotonic_ns() >= deadline_ns)
            fail_msg("%s: %llu of %d processes are counted, run after run", kind->name,
                     (unsigned long long)(found.named.processes - before.named.processes),
                     CHILDREN);
        before = count();
        used_before = usage_ns();
        start(kind);
        whole = wait_for_processes(before.named.processes + CHILDREN,
                                   before.all.processes + CHILDREN + 1, &found);
    } while (!whole || found.named.processes != before.named.processes + CHILDREN);
    used = usage_ns() - used_before;
    found.named.cpu_ns -= before.named.cpu_ns;
    found.all.cpu_ns -= before.all.cpu_ns;
    print_message("%s: %llu ms, the cgroup %llu ms\n", kind->name,
                  (unsigned long long)(found.all.cpu_ns / NS_PER_MS),
                  (unsigned long long)(used / NS_PER_MS));
    assert_true(found.named.cpu_ns >= CHILDREN * BURNT_NS);
    /* The parent enters the cgroup a moment after it began. */
    assert_in_range(found.all.cpu_ns, used - used / 20, used + used / 20 + 20 * NS_PER_MS);
}

static void what_ends_unseen_is_counted_whoever_waits(void **state)
{
    struct short_processes s = {0};
    struct process_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    uint64_t began_ns, ended_ns;
    double percent = 0;

    (void)state;
    skip_unless_root();
    assert_non_null(snapshot);
    make_cgroups();
    /* Double forks come to the test instead of to an init that may not wait. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    fixture_open(&f, 1u << CONCERN_PROCESS, PROBE_AUTO);
    s.probe = f.probe;
    assert_int_equal(cgroup_paths_create(&s.cgroups, &host_default, CGROUP_UNIFIED), 0);
    began_ns = monotonic_ns();
    short_processes_mark(&s, began_ns);
    short_processes_sample(&s, began_ns, 1, snapshot);
    assert_null(snapshot->short_missing);
    assert_int_equal(snapshot->short_count, 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        run_whole(&kinds[i]);
    percent = (double)count().named.cpu_ns;
    while (monotonic_ns() - began_ns < TASK_TABLE_INTERVAL_MIN_NS)
        poll(NULL, 0, 20);
    ended_ns = monotonic_ns();
    short_processes_sample(&s, ended_ns, (unsigned)sysconf(_SC_NPROCESSORS_ONLN), snapshot);
    percent *= 100 / (double)(ended_ns - began_ns);
    for (size_t i = 0; i < snapshot->short_count; i++) {
        const struct short_processes_row *row = &snapshot->short_processes[i];

        assert_true(row->cpu_percent <= 100.0 * (double)sysconf(_SC_NPROCESSORS_ONLN));
        if (row->cgroup_id == count().cgroup_id && strcmp(row->comm, COMM) == 0) {
            assert_true(row->cpu_percent > 0.99 * percent && row->cpu_percent < 1.01 * percent);
            assert_string_equal(row->cgroup_path, strrchr(cgroup, '/'));
            percent = 0;
        }
    }
    /* Others of this host can have burnt more. */
    assert_true(percent == 0 ||
                (snapshot->short_count == TOP_COUNT &&
                 snapshot->short_processes[TOP_COUNT - 1].cpu_percent > 0.99 * percent));
    short_processes_close(&s);
    cgroup_paths_destroy(s.cgroups);
    free(snapshot);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

/* It burnt before the snapshot, which told of it: whatever it took is not told again at its end. */
static void what_a_snapshot_saw_is_not_counted(void **state)
{
    struct short_processes s = {0};
    struct kind one = kinds[0];
    struct found before, found;
    int go[2];
    char byte;

    (void)state;
    skip_unless_root();
    make_cgroups();
    fixture_open(&f, 1u << CONCERN_PROCESS, PROBE_AUTO);
    s.probe = f.probe;
    assert_int_equal(pipe(go), 0);
    waiter = fork();
    assert_true(waiter >= 0);
    if (waiter == 0) {
        close(go[1]);
        enter_cgroups();
        burn(NULL);
        prctl(PR_SET_NAME, COMM);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 96);
    }
    close(go[0]);
    short_processes_mark(&s, monotonic_ns());
    before = count();
    close(go[1]);
    assert_int_equal(waitpid(waiter, NULL, 0), waiter);
    waiter = 0;
    /* Tasks of one CPU are freed in the order in which they ended, those of two about so. */
    one.run = run_waited_for;
    start(&one);
    wait_for_processes(before.named.processes + CHILDREN, before.all.processes + CHILDREN + 1,
                       &found);
    assert_true(found.named.processes <= before.named.processes + CHILDREN);
}

static void snapshot_after_an_interval(struct task_table *table, uint64_t began_ns)
{
    while (monotonic_ns() - began_ns < TASK_TABLE_INTERVAL_MIN_NS)
        poll(NULL, 0, 50);
    snapshot(f.probe, table);
}

static pid_t start_parent(void (*run)(void))
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run();
        _exit(99);
    }
    return pid;
}

/* As a build or a shell script does: no snapshot sees the children. */
static void burn_by_children(void)
{
    for (;;) {
        pid_t child = fork();

        if (child == 0) {
            uint64_t until_ns = monotonic_ns() + 20 * NS_PER_MS;

            while (monotonic_ns() < until_ns)
                ;
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}

static void what_short_children_burn_is_told_of_their_parent(void **state)
{
    struct process_row row;
    struct task_table *table;
    uint64_t began_ns;

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_TASKS, PROBE_AUTO);
    waiter = start_parent(burn_by_children);
    assert_int_equal(task_table_create(&table), 0);
    snapshot(f.probe, table);
    began_ns = monotonic_ns();
    snapshot_after_an_interval(table, began_ns);
    assert_true(task_table_find(table, (uint32_t)waiter, &row));
    assert_true(reading_known(row.short_children_cpu_percent));
    print_message("own %.1f %%, short children %.1f %%\n", row.cpu_percent.value,
                  row.short_children_cpu_percent.value);
    assert_true(row.short_children_cpu_percent.value > row.cpu_percent.value);
    task_table_destroy(table);
}

#define LATE_CHILDREN 8

static int late[2][2];

/* Of a shell script that waits at its end only: each is there, ended, until then. */
static void wait_late(void)
{
    pid_t children[LATE_CHILDREN];
    siginfo_t ended;
    char byte = 0;

    for (int i = 0; i < LATE_CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct timespec t;

            do
                clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
            while (t.tv_nsec < 40 * (long)NS_PER_MS);
            _exit(0);
        }
    }
    for (int i = 0; i < LATE_CHILDREN; i++)
        waitid(P_PID, (id_t)children[i], &ended, WEXITED | WNOWAIT);
    if (write(late[0][1], &byte, 1) != 1 || read(late[1][0], &byte, 1) != 1)
        _exit(97);
    while (wait(NULL) > 0)
        ;
    if (write(late[0][1], &byte, 1) != 1)
        _exit(96);
    for (;;)
        pause();
}

static void children_that_are_waited_for_late_are_told_when_they_ran(void **state)
{
    struct task_table *table;
    struct process_row row;
    uint64_t began_ns;
    char byte = 0;

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_TASKS, PROBE_AUTO);
    assert_int_equal(pipe(late[0]), 0);
    assert_int_equal(pipe(late[1]), 0);
    assert_int_equal(task_table_create(&table), 0);
    waiter = start_parent(wait_late);
    assert_int_equal(read(late[0][0], &byte, 1), 1);
    snapshot(f.probe, table);
    began_ns = monotonic_ns();
    assert_int_equal(write(late[1][1], &byte, 1), 1);
    assert_int_equal(read(late[0][0], &byte, 1), 1);
    snapshot_after_an_interval(table, began_ns);
    assert_true(task_table_find(table, (uint32_t)waiter, &row));
    assert_true(reading_known(row.short_children_cpu_percent));
    print_message("short children %.2f %%\n", row.short_children_cpu_percent.value);
    assert_true(row.short_children_cpu_percent.value < 1);
    task_table_destroy(table);
    for (int i = 0; i < 2; i++) {
        close(late[i][0]);
        close(late[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_ends_unseen_is_counted_whoever_waits, clean_up),
        cmocka_unit_test_teardown(what_a_snapshot_saw_is_not_counted, clean_up),
        cmocka_unit_test_teardown(what_short_children_burn_is_told_of_their_parent, clean_up),
        cmocka_unit_test_teardown(children_that_are_waited_for_late_are_told_when_they_ran,
                                  clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
