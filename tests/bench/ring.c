/* Records of 64 bytes through the ring buffer, read as the agent reads them: by its event loop and
 * its probe layer. A child process makes them inside the kernel, as fast as one CPU can, with the
 * wake policy as shipped; beside it the same records with the kernel's default flags, which wake
 * the reader whenever it has caught up.
 *
 * What was produced is known twice: by the kernel side's own counter, and as the child's calls
 * times the records per call. A record not read must have been counted as dropped.
 */
#include "base/loop.h"
#include "flood.h"
#include "flood.skel.h"
#include "probe/objects.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7
#define FLOOD_NS (400 * NS_PER_MS)
#define SPARSE_CALLS 1000
#define SPARSE_PAUSE_NS (200 * NS_PER_US)
#define RECORDS_PER_CALL 1000
#define FLOOD_SYSCALL SYS_getsid
/* Room for a pause of the reader of some 10 ms; what the agent has by default is 512 KiB. */
#define RING_LARGE (8U << 20)
#define RING_DEFAULT (512U << 10)
#define REQUIRED_MILLIONS 5.0

enum work { WORK_FLOOD, WORK_SPARSE };

/* What the child tells when it is done. */
struct done {
    uint64_t calls;
    uint64_t elapsed_ns; /* of the whole flood; of the median call when sparse */
};

struct run {
    struct loop *loop;
    struct probe *probe;
    int done_fd;
    struct done done;
    uint64_t consumed;
    uint64_t next_sequence;
    uint64_t out_of_order;
};

struct result {
    double millions_per_second; /* as the child made them */
    double call_ns;
    uint64_t dropped, unaccounted;
};

static pid_t child;
static char pins[64];

static void fail(const char *what, int error)
{
    fprintf(stderr, "ring: %s: %s\n", what, strerror(error < 0 ? -error : error));
    if (child > 0)
        kill(child, SIGKILL);
    exit(1);
}

static uint64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* A record now and then, while the reader sleeps: what one costs whoever made it. */
static struct done make_sparse(void)
{
    static uint64_t took[SPARSE_CALLS];
    const struct timespec pause = {.tv_nsec = SPARSE_PAUSE_NS};

    for (int i = 0; i < SPARSE_CALLS; i++) {
        uint64_t began = now_ns();

        syscall(FLOOD_SYSCALL, 0);
        took[i] = now_ns() - began;
        nanosleep(&pause, NULL);
    }
    qsort(took, SPARSE_CALLS, sizeof(*took), compare_u64);
    return (struct done){.calls = SPARSE_CALLS, .elapsed_ns = took[SPARSE_CALLS / 2]};
}

static struct done make_flood(void)
{
    uint64_t began = now_ns(), calls = 0, elapsed = 0;

    for (; elapsed < FLOOD_NS; elapsed = now_ns() - began, calls++)
        syscall(FLOOD_SYSCALL, 0);
    return (struct done){.calls = calls, .elapsed_ns = elapsed};
}

static void arm(pid_t tgid, enum work work, bool default_flags)
{
    struct flood_control control = {.tgid = (uint64_t)tgid,
                                    .syscall = FLOOD_SYSCALL,
                                    .records = work == WORK_FLOOD ? RECORDS_PER_CALL : 1,
                                    .default_flags = default_flags};
    char path[128];
    uint32_t zero = 0;
    int fd, r;

    snprintf(path, sizeof(path), "%s/flood_control", pins);
    fd = bpf_obj_get(path);
    if (fd < 0)
        fail(path, errno);
    r = bpf_map_update_elem(fd, &zero, &control, BPF_ANY);
    close(fd);
    if (r < 0)
        fail(path, errno);
}

/* The child has the last CPU; where there are more, the reader goes to another by itself. */
static int start_child(enum work work, bool default_flags)
{
    struct done done;
    int out[2];
    cpu_set_t cpu;

    if (pipe(out) < 0)
        fail("pipe", errno);
    child = fork();
    if (child < 0)
        fail("fork", errno);
    if (child > 0) {
        close(out[1]);
        return out[0];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    CPU_ZERO(&cpu);
    CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpu);
    sched_setaffinity(0, sizeof(cpu), &cpu);
    arm(getpid(), work, default_flags);
    done = work == WORK_FLOOD ? make_flood() : make_sparse();
    _exit(write(out[1], &done, sizeof(done)) != sizeof(done));
}

static void on_record(void *ctx, const struct record_head *head, size_t size)
{
    const struct record_flood *record = (const struct record_flood *)head;
    struct run *run = ctx;

    if (size != sizeof(*record))
        fail("a record of another size", EINVAL);
    run->consumed++;
    run->out_of_order += record->sequence != run->next_sequence;
    run->next_sequence = record->sequence + 1;
}

static void on_ring(void *ctx, uint32_t events)
{
    (void)events;
    probe_drain(((struct run *)ctx)->probe);
}

static void on_tick(void *ctx, uint64_t now)
{
    (void)now;
    probe_drain(((struct run *)ctx)->probe);
}

static void on_done(void *ctx, uint32_t events)
{
    struct run *run = ctx;

    (void)events;
    if (read(run->done_fd, &run->done, sizeof(run->done)) != sizeof(run->done))
        fail("the producer died", ECHILD);
    loop_stop(run->loop);
}

static void open_probe(struct run *run, uint32_t ring_bytes)
{
    static const struct object_row flood = {
        .concern = CONCERN_RUNQ,
        .elf_bytes = flood_bpf__elf_bytes,
        .groups = {{{{.programs = {"flood"}}}}},
    };
    const struct probe_config config = {
        .pin_directory = pins, .ring_bytes = ring_bytes, .cgroups_max = 16};
    const struct probe_ops ops = {.on_record = on_record, .ctx = run};
    char error[PROBE_ERROR_BYTES];
    const char *reason = "";

    if (probe_create_from(&run->probe, &flood, 1, &config, clock_system(), &ops, error) < 0 ||
        !probe_concern_active(run->probe, CONCERN_RUNQ, &reason)) {
        fprintf(stderr, "ring: %s%s\n", error, reason);
        exit(1);
    }
}

/* Runs the loop as the agent does, its timer of a second included; `read_ring` false: nothing is
 * read before the producer is done. */
static void read_until_done(struct run *run, bool read_ring)
{
    int r = loop_create(&run->loop, clock_system());

    if (r == 0)
        r = loop_add_fd(run->loop, NULL, run->done_fd, EPOLLIN, on_done, run);
    if (r == 0 && read_ring)
        r = loop_add_fd(run->loop, NULL, probe_ring_fd(run->probe), EPOLLIN, on_ring, run);
    if (r == 0 && read_ring)
        r = loop_add_timer(run->loop, NULL, NS_PER_SECOND, on_tick, run);
    if (r == 0)
        r = loop_run(run->loop);
    if (r < 0)
        fail("event loop", r);
    loop_destroy(run->loop);
}

static struct result measure(enum work work, uint32_t ring_bytes, bool default_flags,
                             bool read_ring)
{
    struct run run = {0};
    struct probe_view view;
    uint64_t made;
    struct result result;

    open_probe(&run, ring_bytes);
    run.done_fd = start_child(work, default_flags);
    read_until_done(&run, read_ring);
    waitpid(child, NULL, 0);
    child = 0;
    close(run.done_fd);
    while (probe_drain(run.probe) > 0)
        ;
    probe_view(run.probe, &view);
    made = run.done.calls * (work == WORK_FLOOD ? RECORDS_PER_CALL : 1);
    if (view.records[RECORD_SLOW_WAIT].produced != made ||
        view.records[RECORD_SLOW_WAIT].consumed != run.consumed)
        fail("the counters are not what was made and read", ERANGE);
    if (run.out_of_order)
        fail("records came out of order", ERANGE);
    result = (struct result){
        .millions_per_second = (double)made * 1e3 / (double)run.done.elapsed_ns,
        .call_ns = (double)run.done.elapsed_ns,
        .dropped = view.records[RECORD_SLOW_WAIT].dropped,
        .unaccounted = made - run.consumed - view.records[RECORD_SLOW_WAIT].dropped,
    };
    probe_destroy(run.probe);
    return result;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts. */
static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof(*values), compare_doubles);
    return values[ROUNDS / 2];
}

/* `required` NULL: a figure that is only shown. */
static void print_figure(const char *name, const char *unit, double ours[ROUNDS],
                         const char *peer_name, double peer, const char *required, bool ok)
{
    double figure = median(ours), spread = figure ? 100 * (ours[ROUNDS - 1] - ours[0]) / figure : 0;
    char limit[64] = "null";

    if (required)
        snprintf(limit, sizeof(limit), "\"%s\"", required);
    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"ours\": %.3f, \"peer_name\": \"%s\", "
           "\"peer\": %.3f, \"ratio\": %.3f, \"required\": %s, \"ok\": %s, "
           "\"repetitions\": %d, \"spread_percent\": %.1f}\n",
           name, unit, figure, peer_name, peer, figure / peer, limit,
           !required ? "null"
           : ok      ? "true"
                     : "false",
           ROUNDS, spread);
}

enum variant { LARGE, LARGE_PLAIN, SPARSE, SPARSE_PLAIN, OVERLOAD, VARIANT_COUNT };

static const struct {
    enum work work;
    uint32_t ring_bytes;
    bool default_flags, read_ring;
} variants[VARIANT_COUNT] = {
    [LARGE] = {WORK_FLOOD, RING_LARGE, false, true},
    [LARGE_PLAIN] = {WORK_FLOOD, RING_LARGE, true, true},
    [SPARSE] = {WORK_SPARSE, RING_DEFAULT, false, true},
    [SPARSE_PLAIN] = {WORK_SPARSE, RING_DEFAULT, true, true},
    [OVERLOAD] = {WORK_FLOOD, RING_DEFAULT, false, false},
};

int main(void)
{
    struct result results[VARIANT_COUNT];
    double rates[VARIANT_COUNT][ROUNDS], call_us[VARIANT_COUNT][ROUNDS], unaccounted[ROUNDS];
    double dropped[ROUNDS];
    uint64_t lost = 0;

    snprintf(pins, sizeof(pins), "/sys/fs/bpf/moonwatch-bench-ring-%d", getpid());
    for (int round = 0; round < ROUNDS; round++) {
        for (int v = 0; v < VARIANT_COUNT; v++) {
            results[v] = measure(variants[v].work, variants[v].ring_bytes,
                                 variants[v].default_flags, variants[v].read_ring);
            rates[v][round] = results[v].millions_per_second;
            call_us[v][round] = results[v].call_ns / 1e3;
        }
        lost += results[LARGE].dropped + results[LARGE].unaccounted;
        if (results[OVERLOAD].dropped == 0)
            fail("the overload dropped nothing", ERANGE);
        unaccounted[round] = (double)results[OVERLOAD].unaccounted;
        dropped[round] = (double)results[OVERLOAD].dropped;
    }
    if (lost)
        fprintf(stderr, "ring: %llu records lost with room for them\n", (unsigned long long)lost);
    print_figure("ring buffer of 8 MiB, 64-byte records", "M/s", rates[LARGE], "default flags",
                 median(rates[LARGE_PLAIN]), ">= 5 M/s, none lost",
                 median(rates[LARGE]) >= REQUIRED_MILLIONS && lost == 0);
    print_figure("the call that makes a sparse record", "us", call_us[SPARSE], "default flags",
                 median(call_us[SPARSE_PLAIN]), NULL, true);
    print_figure("ring overloaded: records unaccounted for", "records", unaccounted,
                 "records dropped", median(dropped), "<= 0", unaccounted[ROUNDS - 1] == 0);
    return 0;
}
