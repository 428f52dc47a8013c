/* From the kernel's records to the snapshot: names of cgroups, OOM capsules, task snapshots, and
 * what becomes of cgroups that are gone. */
#include "collect/collectors.h"
#include "model/task_table.h"
#include "own_cgroup.h"
#include "probe_fixture.h"
#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CONCERNS                                                                                   \
    (1u << CONCERN_PROCESS | 1u << CONCERN_OOM | 1u << CONCERN_TASKS | 1u << CONCERN_RUNQ)
#define NAME "moonwatch-test-%d"

static struct probe_fixture f;
static struct collectors *collectors;
static char unified[320], outer[320], inner[340], beside[340], path_outer[64], path_inner[80];
static pid_t bystander, outsider;
static bool v1;
/* The collectors' clock goes as the host's, so much ahead of it or behind. */
static int64_t ahead_ns;

static uint64_t collectors_now(void *ctx)
{
    (void)ctx;
    return (uint64_t)((int64_t)monotonic_ns() + ahead_ns);
}

static uint64_t realtime_now(void *ctx)
{
    (void)ctx;
    return clock_realtime_ns(clock_system());
}

static const struct clock collectors_clock = {collectors_now, realtime_now, NULL};

static void open_collectors(void)
{
    struct collector_env env = {.host = &host_default, .clock = &collectors_clock};

    fixture_open(&f, CONCERNS, PROBE_AUTO);
    env.probe = f.probe;
    assert_int_equal(collectors_create(&collectors, &env), 0);
}

static void end_child(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

static int clean_up(void **state)
{
    (void)state;
    collectors_destroy(collectors);
    collectors = NULL;
    ahead_ns = 0;
    fixture_close(&f);
    end_child(&bystander);
    end_child(&outsider);
    cgroup_remove(inner);
    cgroup_remove(beside);
    cgroup_remove(outer);
    cgroup_remove(unified);
    return 0;
}

/* Hands over what is there and samples, as the agent does. */
static const struct snapshot *tick(void)
{
    assert_true(probe_drain(f.probe) >= 0);
    for (size_t i = 0; i < f.count; i++)
        collectors_record(collectors, &f.records[i].head);
    f.count = 0;
    collectors_sample(collectors, collectors_now(NULL));
    return collectors_snapshot(collectors);
}

static void make_unified(void)
{
    char mount[256];

    assert_true(cgroup_mount(NULL, mount, sizeof(mount)));
    snprintf(unified, sizeof(unified), "%s/" NAME, mount, getpid());
    assert_int_not_equal(cgroup_make(unified), 0);
}

static void make_limited(void)
{
    char mount[256];

    v1 = cgroup_mount("memory", mount, sizeof(mount));
    assert_true(v1 || cgroup_mount(NULL, mount, sizeof(mount)));
    snprintf(path_outer, sizeof(path_outer), "/" NAME "-oom", getpid());
    snprintf(path_inner, sizeof(path_inner), "%s/inner", path_outer);
    snprintf(outer, sizeof(outer), "%s%s", mount, path_outer);
    snprintf(inner, sizeof(inner), "%s%s", mount, path_inner);
    if (!v1)
        cgroup_write(mount, "cgroup.subtree_control", "+memory");
    assert_int_not_equal(cgroup_make(outer), 0);
    if (!cgroup_write(outer, v1 ? "memory.limit_in_bytes" : "memory.max", "48M")) {
        print_message("no memory controller to limit a cgroup with\n");
        skip();
    }
    if (!v1)
        cgroup_write(outer, "cgroup.subtree_control", "+memory");
    assert_int_not_equal(cgroup_make(inner), 0);
    /* With a controller handed down, cgroup v2 has processes in leaves only. */
    snprintf(beside, sizeof(beside), "%s/beside", outer);
    assert_int_not_equal(cgroup_make(beside), 0);
}

static void fill(size_t mebibytes)
{
    for (size_t i = 0; i < mebibytes; i++)
        if (mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                 -1, 0) == MAP_FAILED)
            _exit(97);
}

/* A process that holds memory in a cgroup (NULL: the test's own), and is there when this returns.
 */
static pid_t start_holder(const char *cgroup, size_t mebibytes, const char *name)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_NAME, name);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (cgroup && !cgroup_write(cgroup, "cgroup.procs", "0"))
            _exit(98);
        fill(mebibytes);
        if (write(ready[1], "r", 1) != 1)
            _exit(96);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* Of a process that stands still. It begins with the memory of the test, much of it or little. */
static uint64_t resident_bytes(pid_t pid)
{
    unsigned long long kib = 0;
    char path[64], line[128];
    FILE *status;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    status = fopen(path, "re");
    assert_non_null(status);
    while (fgets(line, sizeof(line), status))
        sscanf(line, "VmRSS: %llu kB", &kib);
    fclose(status);
    return kib * 1024;
}

static pid_t run_hog(void)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_NAME, "mw-test-hog");
        /* The one to be chosen. */
        if (!cgroup_write(inner, "cgroup.procs", "0") ||
            !cgroup_write("/proc/self", "oom_score_adj", "500"))
            _exit(98);
        fill(1000);
        _exit(95);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return pid;
}

static const struct oom_capsule *wait_for_oom(pid_t pid)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;

    while (monotonic_ns() < deadline) {
        const struct event_snapshot *e = &tick()->events;

        for (size_t i = 0; i < e->oom_count; i++)
            if (e->ooms[i].record.pid == (uint32_t)pid)
                return &e->ooms[i];
        poll(NULL, 0, 5);
    }
    fail_msg("no OOM capsule");
    return NULL;
}

static const struct process_row *row_of(const struct oom_capsule *oom, pid_t pid)
{
    for (size_t i = 0; i < oom->top_count; i++)
        if (oom->top[i].pid == (uint32_t)pid)
            return &oom->top[i];
    return NULL;
}

static void an_oom_capsule_tells_who_had_the_memory(void **state)
{
    const struct oom_capsule *oom;
    const struct process_row *row;
    uint64_t expected;
    pid_t hog;

    (void)state;
    skip_unless_root();
    make_limited();
    outsider = start_holder(NULL, 64, "mw-test-outside");
    bystander = start_holder(beside, 12, "mw-test-beside");
    open_collectors();
    /* A trend needs two snapshots of tasks: one a minute ago, one now. */
    ahead_ns = -60 * (int64_t)NS_PER_SECOND;
    tick();
    ahead_ns = 0;
    tick();
    expected = resident_bytes(bystander);
    hog = run_hog();
    oom = wait_for_oom(hog);
    assert_false(oom->global);
    assert_string_equal(oom->cgroup_path, path_inner);
    assert_string_equal(oom->limit_path, path_outer);
    assert_int_equal(oom->record.limit_bytes, 48 << 20);
    row = row_of(oom, hog);
    assert_non_null(row);
    assert_true(row->rss_bytes > 24 << 20);
    row = row_of(oom, bystander);
    assert_non_null(row);
    assert_true(expected > 12 << 20);
    assert_in_range(row->rss_bytes, expected - (1 << 20), expected + (1 << 20));
    if (!reading_known(row->rss_bytes_per_second))
        fail_msg("no trend: %s", row->rss_bytes_per_second.missing);
    assert_true(fabs(row->rss_bytes_per_second.value) < 64 * 1024);
    assert_null(row_of(oom, outsider));
    assert_true(oom->snapshot_age_ns < NS_PER_SECOND);
}

static const struct crash *find_crash(pid_t pid)
{
    const struct event_snapshot *e = &tick()->events;

    for (size_t i = 0; i < e->exit_count; i++)
        if (e->abnormal_exits[i].record.pid == (uint32_t)pid)
            return &e->abnormal_exits[i];
    return NULL;
}

static void check_crash_of_gone(bool seen_before)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    const struct crash *crash;
    char path[64];
    pid_t pid;

    skip_unless_root();
    make_unified();
    snprintf(path, sizeof(path), "/" NAME, getpid());
    open_collectors();
    if (seen_before) {
        pid = start_holder(unified, 0, "mw-test-first");
        end_child(&pid);
        tick();
    }
    pid = start_holder(unified, 0, "mw-test-abort");
    kill(pid, SIGABRT);
    waitpid(pid, NULL, 0);
    cgroup_remove(unified);
    while (!(crash = find_crash(pid)) && monotonic_ns() < deadline)
        poll(NULL, 0, 5);
    assert_non_null(crash);
    assert_int_equal(crash->record.signal, SIGABRT);
    assert_string_equal(crash->record.comm, "mw-test-abort");
    assert_string_equal(crash->cgroup_path, path);
}

static void a_crash_names_its_cgroup_though_it_is_gone(void **state)
{
    (void)state;
    check_crash_of_gone(true);
}

static void a_crash_names_its_cgroup_that_was_never_seen(void **state)
{
    (void)state;
    check_crash_of_gone(false);
}

static const struct cgroup_lifecycle *lifecycle_of(const struct snapshot *snapshot,
                                                   const char *path)
{
    const struct process_snapshot *p = &snapshot->process;

    for (size_t i = 0; i < p->lifecycle_cgroup_count; i++)
        if (p->lifecycle_cgroups[i].path && strcmp(p->lifecycle_cgroups[i].path, path) == 0)
            return &p->lifecycle_cgroups[i];
    return NULL;
}

static double sum_of_rows(const struct snapshot *snapshot)
{
    double exits = 0;

    for (size_t i = 0; i < snapshot->process.lifecycle_cgroup_count; i++)
        exits += (double)snapshot->process.lifecycle_cgroups[i].stats.exits;
    return exits;
}

static void lifecycles_have_names_and_outlive_their_cgroup(void **state)
{
    const struct snapshot *snapshot;
    const struct cgroup_lifecycle *row;
    uint64_t exits;
    char path[64];
    pid_t pid;

    (void)state;
    skip_unless_root();
    make_unified();
    snprintf(path, sizeof(path), "/" NAME, getpid());
    open_collectors();
    pid = start_holder(unified, 0, "mw-test-holder");
    end_child(&pid);
    snapshot = tick();
    row = lifecycle_of(snapshot, path);
    assert_non_null(row);
    assert_int_equal(row->stats.exits, 1);
    assert_int_equal(row->stats.exits_by_signal, 1);
    exits = snapshot->process.lifecycle.exits;
    cgroup_remove(unified);
    ahead_ns = CGROUP_PATH_FRESH_NS;
    snapshot = tick();
    assert_null(lifecycle_of(snapshot, path));
    assert_true(snapshot->process.lifecycle.exits >= exits);
    assert_true(sum_of_rows(snapshot) == (double)snapshot->process.lifecycle.exits);
}

#define PIDS_MAX 65536

/* By /proc; sorted as /proc is. */
static size_t list_pids(uint32_t *pids)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(proc);
    while ((entry = readdir(proc)) && count < PIDS_MAX)
        if (strtoul(entry->d_name, NULL, 10) > 0)
            pids[count++] = (uint32_t)strtoul(entry->d_name, NULL, 10);
    closedir(proc);
    return count;
}

/* How many threads there are, and how many processes and threads were begun since the boot. */
static void read_threads(double *ret_now, double *ret_begun)
{
    FILE *loadavg = fopen("/proc/loadavg", "re"), *stat = fopen("/proc/stat", "re");
    char line[4096];

    assert_non_null(loadavg);
    assert_non_null(stat);
    /* In this order: what begins between the two readings is in both, not in neither. */
    *ret_begun = 0;
    while (fgets(line, sizeof(line), stat))
        sscanf(line, "processes %lf", ret_begun);
    assert_int_equal(fscanf(loadavg, "%*f %*f %*f %*d/%lf", ret_now), 1);
    fclose(loadavg);
    fclose(stat);
}

/* Others come and go meanwhile: who was there before and after was there in between, and who was
 * not there before was begun. */
static void a_task_snapshot_has_every_process(void **state)
{
    static uint32_t before[PIDS_MAX], after[PIDS_MAX];
    double threads, begun, threads_after, begun_after;
    size_t count, count_after, stayed = 0;
    const struct process_snapshot *p;
    struct process_row row;

    (void)state;
    skip_unless_root();
    open_collectors();
    read_threads(&threads, &begun);
    count = list_pids(before);
    p = &tick()->process;
    count_after = list_pids(after);
    read_threads(&threads_after, &begun_after);
    assert_null(p->top_missing);
    for (size_t i = 0, j = 0; i < count && j < count_after;) {
        if (before[i] != after[j]) {
            before[i] < after[j] ? i++ : j++;
            continue;
        }
        /* The init of a micro-VM may be hidden from every program. */
        if (before[i] > 1 && !task_table_find(p->tasks, before[i], &row))
            fail_msg("no process %u", before[i]);
        stayed += before[i] > 1;
        i++, j++;
    }
    begun = begun_after - begun;
    assert_true(p->processes.value >= (double)stayed);
    assert_true(p->processes.value <= (double)count + begun);
    assert_true(p->threads.value >= (double)stayed);
    assert_true(p->threads.value <= threads + begun);
    assert_true(task_table_find(p->tasks, (uint32_t)getpid(), &row));
    assert_int_equal(row.ppid, getppid());
    assert_int_equal(row.thread_count, 1);
    assert_true(p->top_count[TOP_RSS] > 0);
    assert_int_equal(p->top_count[TOP_CPU], 0); /* since when? */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_oom_capsule_tells_who_had_the_memory, clean_up),
        cmocka_unit_test_teardown(a_crash_names_its_cgroup_though_it_is_gone, clean_up),
        cmocka_unit_test_teardown(a_crash_names_its_cgroup_that_was_never_seen, clean_up),
        cmocka_unit_test_teardown(lifecycles_have_names_and_outlive_their_cgroup, clean_up),
        cmocka_unit_test_teardown(a_task_snapshot_has_every_process, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
