/* Waits above 16 us of one process against packaged runqlat, on the same load at the same time.
 *
 * Four workers share a CPU and hand it on every few microseconds, so that nearly every wait is
 * above 16 us. They are realtime tasks, so that a busy machine does not hold them up. One of them
 * is alone in a cgroup, and runqlat is told to count its waits only: what else the machine does is
 * in neither figure.
 */
#include "runq_fixture.h"
#include <dirent.h>
#include <math.h>

#define RUNQLAT "/usr/sbin/runqlat"
#define RUNQLAT_LINKS 3 /* two wakeups and the switch */
#define ROUNDS 3
#define TURNS 1000 /* of each worker in a round */
#define WORKERS 4
#define TURN_NS 25000
#define FLOOR_US 16
#define FLOOR_SLOT 5 /* 16,384 ns */

static struct runq_fixture f;
static pid_t runqlat;
static int output = -1;

static int clean_up(void **state)
{
    (void)state;
    if (runqlat > 0) {
        kill(runqlat, SIGKILL);
        waitpid(runqlat, NULL, 0);
    }
    runqlat = 0;
    if (output >= 0)
        close(output);
    output = -1;
    return runq_teardown(&f);
}

/* Until it executes runqlat, the child holds the links of the test. */
static bool executes(pid_t pid, const char *name)
{
    char path[64], comm[32] = "";
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    file = fopen(path, "re");
    if (!file || !fgets(comm, sizeof(comm), file))
        comm[0] = '\0';
    if (file)
        fclose(file);
    comm[strcspn(comm, "\n")] = '\0';
    return strcmp(comm, name) == 0;
}

static int links_of(pid_t pid)
{
    char path[320], line[128];
    struct dirent *entry;
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        FILE *info;

        snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, entry->d_name);
        info = fopen(path, "re");
        while (info && fgets(line, sizeof(line), info))
            count += strncmp(line, "link_type:", 10) == 0;
        if (info)
            fclose(info);
    }
    if (dir)
        closedir(dir);
    return count;
}

/* Returns when all its programs count. */
static void start_runqlat(pid_t of)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    char pid[16];
    int pipes[2];

    snprintf(pid, sizeof(pid), "%d", of);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    runqlat = fork();
    assert_true(runqlat >= 0);
    if (runqlat == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(pipes[1], STDOUT_FILENO);
        execl(RUNQLAT, "runqlat", "-p", pid, "3600", "1", NULL);
        _exit(127);
    }
    close(pipes[1]);
    output = pipes[0];
    while (!executes(runqlat, "runqlat") || links_of(runqlat) < RUNQLAT_LINKS) {
        if (monotonic_ns() > deadline)
            fail_msg(RUNQLAT " does not attach");
        poll(NULL, 0, 5);
    }
}

/* Ends it. The sum of its rows from FLOOR_US up. */
static uint64_t stop_runqlat(void)
{
    unsigned long long first, last, count;
    uint64_t sum = 0;
    char line[256];
    FILE *text;

    /* It looks whether it was told to end before it goes to sleep for ever, and may be told
     * between. */
    do {
        kill(runqlat, SIGINT);
        poll(NULL, 0, 20);
    } while (waitpid(runqlat, NULL, WNOHANG) == 0);
    runqlat = 0;
    text = fdopen(output, "r");
    assert_non_null(text);
    while (fgets(line, sizeof(line), text))
        if (sscanf(line, " %llu -> %llu : %llu", &first, &last, &count) == 3 && first >= FLOOR_US)
            sum += count;
    fclose(text);
    output = -1;
    return sum;
}

static uint64_t slow_waits(void)
{
    struct latency row = cgroup_latency(&f, "runq_cgroup");
    uint64_t sum = 0;

    for (int slot = FLOOR_SLOT; slot < SLOT_COUNT; slot++)
        sum += row.slots[slot];
    return sum;
}

static void hand_on(void *ctx, int index)
{
    (void)ctx;
    worker_let_previous_go(&f, index);
    for (int turn = 0; turn < TURNS; turn++) {
        uint64_t end = monotonic_ns() + TURN_NS;

        while (monotonic_ns() < end)
            ;
        sched_yield();
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void check_peer(enum probe_mode mode)
{
    double ratios[ROUNDS];
    int late = 0;

    skip_unless_root();
    if (access(RUNQLAT, X_OK) < 0) {
        print_message("package libbpf-tools is not installed\n");
        skip();
    }
    runq_make_cgroup(&f);
    fixture_open(&f.probe, 1u << CONCERN_RUNQ, mode);
    for (int i = 0; i < WORKERS; i++) {
        worker_wait_asleep(worker_start(&f, hand_on, NULL));
        worker_set_policy(&f, &f.workers[i], SCHED_FIFO, 10);
    }
    worker_enter(&f.workers[0], f.cgroup);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t ours, theirs;

        start_runqlat(f.workers[0].pid);
        ours = slow_waits();
        workers_let_last_go(&f);
        workers_wait(&f);
        ours = slow_waits() - ours;
        theirs = stop_runqlat();
        print_message("above %d us: counted %llu, runqlat %llu\n", FLOOR_US,
                      (unsigned long long)ours, (unsigned long long)theirs);
        /* It says that it is attached a moment before it counts. */
        if (theirs == 0 && late++ < ROUNDS) {
            round--;
            continue;
        }
        assert_true(theirs > TURNS / 2);
        ratios[round] = (double)ours / (double)theirs;
    }
    qsort(ratios, ROUNDS, sizeof(*ratios), compare_doubles);
    if (fabs(ratios[ROUNDS / 2] - 1) > 0.1)
        fail_msg("%.3f of what runqlat counts", ratios[ROUNDS / 2]);
}

static void waits_above_16_us_are_those_of_runqlat(void **state)
{
    (void)state;
    check_peer(PROBE_AUTO);
}

static void waits_above_16_us_are_those_of_runqlat_in_the_twin(void **state)
{
    (void)state;
    check_peer(PROBE_TWIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(waits_above_16_us_are_those_of_runqlat, clean_up),
        cmocka_unit_test_teardown(waits_above_16_us_are_those_of_runqlat_in_the_twin, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
