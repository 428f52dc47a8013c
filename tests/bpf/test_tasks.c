/* The task iterator and its sums against /proc. */
#include "abi/task.h"
#include "model/stuck_tasks.h"
#include "task_snapshot.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define BURNERS 3
#define HELD_BYTES (64ull << 20)

static struct probe_fixture f;
static pid_t burner, idler;

static void *burn(void *unused)
{
    volatile unsigned long turns = 0;

    for (;;)
        turns++;
    return unused;
}

/* Threads that compete for one CPU, so that they wait for each other. */
static void burn_on_one_cpu(void)
{
    pthread_t thread;
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    prctl(PR_SET_NAME, "mw-test-burn");
    for (int i = 1; i < BURNERS; i++)
        if (pthread_create(&thread, NULL, burn, NULL) != 0)
            _exit(99);
    burn(NULL);
}

static void hold_memory(void)
{
    char *block = mmap(NULL, HELD_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (block == MAP_FAILED)
        _exit(99);
    for (;;)
        pause();
}

static pid_t start(void (*run)(void))
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run();
        _exit(98);
    }
    return pid;
}

static int clean_up(void **state)
{
    pid_t *children[] = {&burner, &idler};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        if (*children[i] > 0) {
            kill(*children[i], SIGKILL);
            waitpid(*children[i], NULL, 0);
        }
        *children[i] = 0;
    }
    fixture_close(&f);
    return 0;
}

/* Each thread's time on a CPU and waiting for one, from the kernel's own file. */
struct schedstat {
    unsigned threads;
    unsigned long long on_cpu_ns, run_delay_ns;
};

static struct schedstat read_schedstat(pid_t pid)
{
    struct schedstat sum = {0};
    char path[320];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        unsigned long long on_cpu, delay;
        FILE *file;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
        file = fopen(path, "re");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%llu %llu", &on_cpu, &delay), 2);
        fclose(file);
        sum.threads++;
        sum.on_cpu_ns += on_cpu;
        sum.run_delay_ns += delay;
    }
    closedir(dir);
    return sum;
}

static unsigned long long read_rss_bytes(pid_t pid)
{
    unsigned long long size, resident;
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu %llu", &size, &resident), 2);
    fclose(file);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

/* Until all its threads stand still: then the figures do as well. */
static void stop(pid_t pid)
{
    int status;

    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
}

/* On a CPU, and about as much for one. */
static void wait_for_cpu_time(pid_t pid, unsigned long long ns)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    struct schedstat s;

    while (s = read_schedstat(pid),
           s.threads < BURNERS || s.on_cpu_ns < ns || s.run_delay_ns < ns) {
        assert_true(monotonic_ns() < deadline);
        poll(NULL, 0, 10);
    }
}

static void wait_for_rss(pid_t pid, unsigned long long bytes)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;

    while (read_rss_bytes(pid) < bytes) {
        assert_true(monotonic_ns() < deadline);
        poll(NULL, 0, 10);
    }
}

struct wanted {
    uint32_t tgid;
    unsigned threads;
    struct task_row sum, leader;
};

static void sum_wanted(void *ctx, const struct task_row *row)
{
    struct wanted *w = ctx;

    if (row->tgid != w->tgid)
        return;
    w->threads++;
    w->sum.on_cpu_ns += row->on_cpu_ns;
    w->sum.run_delay_ns += row->run_delay_ns;
    if (row->pid == row->tgid)
        w->leader = *row;
}

static bool same_times(const struct schedstat *a, const struct schedstat *b)
{
    return a->on_cpu_ns == b->on_cpu_ns && a->run_delay_ns == b->run_delay_ns;
}

static void times_are_those_of_schedstat(void **state)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    struct schedstat expected, after;
    struct wanted wanted;

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_TASKS, PROBE_AUTO);
    burner = start(burn_on_one_cpu);
    wait_for_cpu_time(burner, 200 * NS_PER_MS);
    stop(burner);
    /* The last thread says that all have stopped before it leaves the CPU. */
    do {
        assert_true(monotonic_ns() < deadline);
        wanted = (struct wanted){.tgid = (uint32_t)burner};
        expected = read_schedstat(burner);
        assert_true(probe_tasks_for_each(f.probe, sum_wanted, &wanted) > 0);
        after = read_schedstat(burner);
    } while (!same_times(&expected, &after));
    assert_int_equal(wanted.threads, BURNERS);
    assert_int_equal(expected.threads, BURNERS);
    assert_int_equal(wanted.sum.on_cpu_ns, expected.on_cpu_ns);
    assert_true(wanted.leader.known & TASK_KNOWS_RUN_DELAY);
    assert_int_equal(wanted.sum.run_delay_ns, expected.run_delay_ns);
    assert_true(expected.run_delay_ns > 100 * NS_PER_MS);
    assert_int_equal(wanted.leader.ppid, getpid());
    assert_string_equal(wanted.leader.comm, "mw-test-burn");
}

static void resident_memory_is_that_of_statm(void **state)
{
    struct wanted wanted = {0};
    unsigned long long expected, found, tolerance;
    long cpus = sysconf(_SC_NPROCESSORS_CONF);

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_TASKS, PROBE_AUTO);
    idler = start(hold_memory);
    wait_for_rss(idler, HELD_BYTES);
    wanted.tgid = (uint32_t)idler;
    assert_true(probe_tasks_for_each(f.probe, sum_wanted, &wanted) > 0);
    expected = read_rss_bytes(idler);
    found =
        wanted.leader.rss_anon_bytes + wanted.leader.rss_file_bytes + wanted.leader.rss_shmem_bytes;
    /* Three counters, of which every CPU may hold back so many pages; 6.1 holds back less. */
    tolerance = 3 * (unsigned long long)cpus * (cpus > 16 ? 2 * (unsigned long long)cpus : 32) *
                (unsigned long long)sysconf(_SC_PAGESIZE);
    print_message("rss %llu, statm %llu, tolerance %llu\n", found, expected, tolerance);
    assert_in_range(found, expected - tolerance, expected + tolerance);
    assert_true(wanted.leader.rss_anon_bytes >= HELD_BYTES - tolerance);
}

/* schedstat around the two readings of the table, and between them. */
struct span {
    struct mark {
        uint64_t ns, on_cpu_ns;
    } outer[2], inner[2];
};

static struct mark mark(pid_t pid)
{
    uint64_t ns = monotonic_ns();

    return (struct mark){.ns = ns, .on_cpu_ns = read_schedstat(pid).on_cpu_ns};
}

/* However long the readings took. The kernel brings schedstat up to date at ticks, of 4 ms or 10.
 */
static void assert_cpu(const struct process_row *row, const struct span *s)
{
    const double tick_ns = 10.0 * NS_PER_MS;
    double low = (double)(s->inner[1].on_cpu_ns - s->inner[0].on_cpu_ns) - tick_ns;
    double high = (double)(s->outer[1].on_cpu_ns - s->outer[0].on_cpu_ns) + tick_ns;

    assert_true(reading_known(row->cpu_percent));
    low = 100 * low / (double)(s->outer[1].ns - s->outer[0].ns);
    high = 100 * high / (double)(s->inner[1].ns - s->inner[0].ns);
    print_message("cpu %.1f %%, schedstat between %.1f %% and %.1f %%\n", row->cpu_percent.value,
                  low, high);
    assert_true(row->cpu_percent.value >= low && row->cpu_percent.value <= high);
}

static bool is_among(const struct process_row *top, size_t count, uint32_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (top[i].pid == pid)
            return true;
    return false;
}

static double taken(const struct process_row *row)
{
    return row->cpu_percent.value + row->short_children_cpu_percent.value;
}

/* A parent sleeps uninterruptibly until its vfork()ed child executes something, which this one does
 * not. */
static void wait_for_ever(void)
{
    pid_t child = vfork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            poll(NULL, 0, -1);
    }
}

static void add_stuck(void *ctx, const struct task_row *row)
{
    stuck_tasks_add(ctx, row);
}

static bool is_stuck(struct stuck_tasks *stuck, pid_t pid, double seconds)
{
    struct stuck_task longest[TOP_COUNT];
    size_t count;

    stuck_tasks_begin(stuck, monotonic_ns());
    assert_true(probe_tasks_for_each(f.probe, add_stuck, stuck) > 0);
    count = stuck_tasks_longest(stuck, longest, TOP_COUNT);
    for (size_t i = 0; i < count; i++)
        if ((pid_t)longest[i].pid == pid && longest[i].seconds >= seconds)
            return true;
    return false;
}

static void a_task_that_does_not_come_back_is_stuck(void **state)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    struct stuck_tasks *stuck;
    bool found = false;

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_TASKS, PROBE_AUTO);
    burner = start(wait_for_ever);
    idler = start(hold_memory);
    assert_int_equal(stuck_tasks_create(&stuck), 0);
    while (!found && monotonic_ns() < deadline) {
        poll(NULL, 0, 50);
        found = is_stuck(stuck, burner, 0.2);
        assert_false(is_stuck(stuck, idler, 0));
    }
    assert_true(found);
    stuck_tasks_destroy(stuck);
}

static void a_burning_process_tops_an_idle_one(void **state)
{
    const struct task_query by_cpu = {.order = TOP_CPU}, by_rss = {.order = TOP_RSS};
    struct process_row burning, idle, top[TOP_COUNT];
    struct span burned, idled;
    struct task_table *table;
    size_t count;

    (void)state;
    skip_unless_root();
    fixture_open(&f, 1u << CONCERN_TASKS, PROBE_AUTO);
    burner = start(burn_on_one_cpu);
    idler = start(hold_memory);
    wait_for_cpu_time(burner, 50 * NS_PER_MS);
    wait_for_rss(idler, HELD_BYTES);
    assert_int_equal(task_table_create(&table), 0);
    burned.outer[0] = mark(burner);
    idled.outer[0] = mark(idler);
    snapshot(f.probe, table);
    burned.inner[0] = mark(burner);
    idled.inner[0] = mark(idler);
    while (monotonic_ns() - burned.inner[0].ns < TASK_TABLE_INTERVAL_MIN_NS)
        poll(NULL, 0, 50);
    burned.inner[1] = mark(burner);
    idled.inner[1] = mark(idler);
    snapshot(f.probe, table);
    burned.outer[1] = mark(burner);
    idled.outer[1] = mark(idler);
    assert_true(task_table_find(table, (uint32_t)burner, &burning));
    assert_true(task_table_find(table, (uint32_t)idler, &idle));
    assert_int_equal(burning.thread_count, BURNERS);
    assert_cpu(&burning, &burned);
    assert_cpu(&idle, &idled);
    assert_true(burning.run_delay_percent.value > burning.cpu_percent.value);

    assert_true(burning.cpu_percent.value > idle.cpu_percent.value);
    assert_true(idle.rss_bytes > burning.rss_bytes);

    /* Others of this machine may use more than either. */
    count = task_table_top(table, &by_cpu, top, TOP_COUNT);
    assert_true(count > 0);
    for (size_t i = 1; i < count; i++)
        assert_true(taken(&top[i - 1]) >= taken(&top[i]) - 1e-6);
    assert_true(is_among(top, count, burning.pid) ||
                (count == TOP_COUNT && taken(&top[count - 1]) >= taken(&burning) - 1e-6));
    count = task_table_top(table, &by_rss, top, TOP_COUNT);
    assert_true(count > 0);
    for (size_t i = 1; i < count; i++)
        assert_true(top[i - 1].rss_bytes >= top[i].rss_bytes);
    assert_true(is_among(top, count, idle.pid) ||
                (count == TOP_COUNT && top[count - 1].rss_bytes >= idle.rss_bytes));
    task_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(times_are_those_of_schedstat, clean_up),
        cmocka_unit_test_teardown(resident_memory_is_that_of_statm, clean_up),
        cmocka_unit_test_teardown(a_burning_process_tops_an_idle_one, clean_up),
        cmocka_unit_test_teardown(a_task_that_does_not_come_back_is_stuck, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
