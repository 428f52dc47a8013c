/* Reclaim in a memory-limited cgroup of the test's own, against an event trace of the kernel's.
 *
 * A worker reads a file that is larger than its cgroup's limit: each time the page cache has filled
 * the limit, it must free some itself. The file is one large hole, so that no disk has a part in
 * it.
 */
#include "abi/reclaim.h"
#include "attached_word.h"
#include "own_cgroup.h"
#include "probe_fixture.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define LIMIT "16M"
#define FILE_BYTES (96 << 20)
#define COMM "mw-test-reader"
#define TRACEFS "/sys/kernel/tracing"
/* A slot's bound, so that the histogram tells how many are above it. */
#define THRESHOLD_NS (1 << 14)

static struct probe_fixture f;
static char cgroup[320], trace[128], file_name[64];
static uint64_t cgroup_id;
static pid_t reader;
static int go = -1;

static int clean_up(void **state)
{
    (void)state;
    if (go >= 0)
        close(go);
    go = -1;
    if (reader > 0) {
        kill(reader, SIGKILL);
        waitpid(reader, NULL, 0);
    }
    reader = 0;
    fixture_close(&f);
    if (trace[0])
        rmdir(trace);
    trace[0] = '\0';
    if (file_name[0])
        unlink(file_name);
    file_name[0] = '\0';
    if (cgroup_id)
        cgroup_remove(cgroup);
    cgroup_id = 0;
    return 0;
}

static void make_cgroup(void)
{
    char mount[256];
    bool v1 = cgroup_mount("memory", mount, sizeof(mount));

    assert_true(v1 || cgroup_mount(NULL, mount, sizeof(mount)));
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-reclaim-%d", mount, getpid());
    if (!v1)
        cgroup_write(mount, "cgroup.subtree_control", "+memory");
    cgroup_id = cgroup_make(cgroup);
    assert_int_not_equal(cgroup_id, 0);
    if (!cgroup_write(cgroup, v1 ? "memory.limit_in_bytes" : "memory.max", LIMIT)) {
        print_message("no memory controller to limit a cgroup with\n");
        skip();
    }
}

static void make_file(void)
{
    int fd;

    snprintf(file_name, sizeof(file_name), "/var/tmp/moonwatch-test-XXXXXX");
    fd = mkstemp(file_name);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, FILE_BYTES), 0);
    close(fd);
}

static void read_file(void)
{
    static char buffer[1 << 16];
    int fd = open(file_name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        _exit(97);
    do {
        n = read(fd, buffer, sizeof(buffer));
    } while (n > 0);
    _exit(n < 0 ? 96 : 0);
}

/* It waits to be let go. */
static void start_reader(void)
{
    int pipes[2];
    char byte;

    assert_int_equal(pipe(pipes), 0);
    reader = fork();
    assert_true(reader >= 0);
    if (reader == 0) {
        prctl(PR_SET_NAME, COMM);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!cgroup_write(cgroup, "cgroup.procs", "0") || read(pipes[0], &byte, 1) != 1)
            _exit(98);
        read_file();
    }
    close(pipes[0]);
    go = pipes[1];
}

static void let_reader_go(void)
{
    int status;

    assert_int_equal(write(go, "g", 1), 1);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    reader = 0;
    assert_int_equal(status, 0);
}

/* The kernel's own trace of the reader's reclaims, in an instance beside everybody else's. */
static void start_trace(void)
{
    char filter[64];

    snprintf(trace, sizeof(trace), TRACEFS "/instances/moonwatch-test-%d", getpid());
    if (mkdir(trace, 0700) < 0) {
        trace[0] = '\0';
        print_message("no tracefs at " TRACEFS "\n");
        skip();
    }
    snprintf(filter, sizeof(filter), "common_pid == %d", reader);
    assert_true(cgroup_write(trace, "trace_clock", "mono"));
    assert_true(cgroup_write(trace, "events/vmscan/mm_vmscan_memcg_reclaim_begin/filter", filter));
    assert_true(cgroup_write(trace, "events/vmscan/mm_vmscan_memcg_reclaim_end/filter", filter));
    assert_true(cgroup_write(trace, "events/vmscan/mm_vmscan_memcg_reclaim_begin/enable", "1"));
    assert_true(cgroup_write(trace, "events/vmscan/mm_vmscan_memcg_reclaim_end/enable", "1"));
}

struct traced {
    uint64_t begins, ends, sum_ns;
};

/* "  COMM-PID  [CPU] FLAGS  SECONDS.MICROS: EVENT: ..." */
static struct traced read_trace(void)
{
    struct traced t = {0};
    char path[160], line[512];
    double since = 0;
    FILE *text;

    snprintf(path, sizeof(path), "%s/trace", trace);
    text = fopen(path, "re");
    assert_non_null(text);
    while (fgets(line, sizeof(line), text)) {
        char *event = strstr(line, ": mm_vmscan_memcg_reclaim_"), *time = event;

        if (!event || line[0] == '#')
            continue;
        while (time > line && time[-1] != ' ')
            time--;
        if (strstr(event, "_begin:")) {
            t.begins++;
            since = strtod(time, NULL);
        } else {
            t.ends++;
            t.sum_ns += (uint64_t)((strtod(time, NULL) - since) * 1e9);
        }
    }
    fclose(text);
    return t;
}

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    uint64_t *sum = ctx;
    struct reclaim_key k;

    memcpy(&k, key, sizeof(k));
    if (k.cgroup_id != cgroup_id || k.kind != RECLAIM_MEMCG)
        return;
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        for (size_t i = 0; i < sizeof(struct latency) / sizeof(*sum); i++)
            sum[i] += ((const uint64_t *)((const char *)values + cpu * stride))[i];
}

static struct latency stalls(void)
{
    struct latency sum = {0};

    assert_true(probe_map_for_each(f.probe, "reclaim_cgrp", add_row, &sum) >= 0);
    return sum;
}

static void reclaim_with(uint64_t threshold_ns)
{
    const struct probe_config config = {.stall_ns = threshold_ns};

    skip_unless_root();
    make_cgroup();
    make_file();
    start_reader();
    fixture_open_with(&f, config, 1u << CONCERN_RECLAIM, PROBE_AUTO);
}

/* "some avg10=... total=MICROSECONDS" of the host; 0 without PSI. */
static uint64_t pressure_ns(void)
{
    unsigned long long us = 0;
    FILE *file = fopen("/proc/pressure/memory", "re");

    if (!file)
        return 0;
    if (fscanf(file, "some %*s %*s %*s total=%llu", &us) != 1)
        us = 0;
    fclose(file);
    return us * 1000;
}

static void stalls_are_those_of_the_kernels_trace(void **state)
{
    uint64_t pressure, slack_ns;
    struct latency sum;
    struct traced t;

    (void)state;
    reclaim_with(0);
    start_trace();
    pressure = pressure_ns();
    let_reader_go();
    pressure = pressure_ns() - pressure;
    t = read_trace();
    sum = stalls();
    print_message("%llu stalls, %.3f ms, traced %.3f ms, pressure %.3f ms\n",
                  (unsigned long long)sum.count, (double)sum.sum_ns / 1e6, (double)t.sum_ns / 1e6,
                  (double)pressure / 1e6);
    assert_true(t.ends > 20);
    assert_int_equal(t.begins, t.ends);
    assert_int_equal(sum.count, t.ends);
    /* Both look at the clock at the same events, one after the other; an interrupt or another task
     * may come in between, now and then. */
    slack_ns = t.sum_ns / 10 + t.ends * 10000;
    assert_true(sum.sum_ns + slack_ns > t.sum_ns && sum.sum_ns < t.sum_ns + slack_ns);
    /* An average over the CPUs, by how busy each was: less than the stalls, of their order. */
    if (access("/proc/pressure/memory", R_OK) == 0)
        assert_true(pressure * 4 * (uint64_t)sysconf(_SC_NPROCESSORS_CONF) > sum.sum_ns);
    for (int i = 0; i < SLOT_COUNT; i++)
        sum.count -= sum.slots[i];
    assert_int_equal(sum.count, 0);
    assert_int_equal(f.count, 0); /* no threshold, no records */
}

/* The reader's, each checked; returns their number and adds their time. */
static size_t check_records(pid_t pid, uint64_t threshold_ns, uint64_t *sum_ns)
{
    size_t count = 0;

    assert_true(probe_drain(f.probe) >= 0);
    for (size_t i = 0; i < f.count; i++) {
        const struct record_stall *r = &f.records[i].stall;

        if (r->head.type != RECORD_STALL || r->pid != (uint32_t)pid)
            continue;
        count++;
        *sum_ns += r->stall_ns;
        assert_true(r->stall_ns >= threshold_ns);
        assert_int_equal(r->tgid, pid);
        assert_int_equal(r->kind, RECLAIM_MEMCG);
        assert_int_equal(r->cgroup_id, cgroup_id);
        assert_string_equal(r->comm, COMM);
    }
    return count;
}

static void every_stall_above_the_threshold_is_a_record(void **state)
{
    uint64_t sum_ns = 0, above = 0;
    struct latency sum;
    pid_t pid;

    (void)state;
    reclaim_with(THRESHOLD_NS);
    pid = reader;
    let_reader_go();
    sum = stalls();
    for (uint32_t i = 0; i < SLOT_COUNT; i++)
        if (i == SLOT_COUNT - 1 || slot_upper_ns(i) > THRESHOLD_NS)
            above += sum.slots[i];
    print_message("%llu stalls, %llu above %d us\n", (unsigned long long)sum.count,
                  (unsigned long long)above, THRESHOLD_NS / 1000);
    assert_true(above > 0);
    assert_int_equal(check_records(pid, THRESHOLD_NS, &sum_ns), above);
    assert_true(sum_ns <= sum.sum_ns);
}

/* As seen by programs attached in an hour: all that they are told the end of began before. */
static void stalls_that_were_lost_sight_of(void **state)
{
    struct latency sum;

    (void)state;
    reclaim_with(1);
    set_attached(f.probe, ATTACHED_RECLAIM_MEMCG, monotonic_ns() + 3600 * NS_PER_SECOND);
    start_trace();
    let_reader_go();
    sum = stalls();
    assert_true(read_trace().ends > 20);
    assert_int_equal(sum.count, 0);
    assert_true(probe_drain(f.probe) >= 0);
    assert_int_equal(f.count, 0);
}

static void records_and_histogram_are_of_the_same_stalls(void **state)
{
    uint64_t sum_ns = 0;
    struct latency sum;
    pid_t pid;

    (void)state;
    reclaim_with(1);
    pid = reader;
    let_reader_go();
    sum = stalls();
    assert_true(sum.count > 20);
    assert_int_equal(check_records(pid, 1, &sum_ns), sum.count);
    assert_int_equal(sum_ns, sum.sum_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(stalls_are_those_of_the_kernels_trace, clean_up),
        cmocka_unit_test_teardown(every_stall_above_the_threshold_is_a_record, clean_up),
        cmocka_unit_test_teardown(stalls_that_were_lost_sight_of, clean_up),
        cmocka_unit_test_teardown(records_and_histogram_are_of_the_same_stalls, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
