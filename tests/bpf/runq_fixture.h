/* Processes whose switches the test knows, and what the scheduler program counted of them.
 *
 * A worker sleeps until it is let go and sleeps again when it is done, so that its class, CPU and
 * cgroup can be chosen and its figures in /proc read while it does not run.
 */
#ifndef MOONWATCH_TEST_RUNQ_FIXTURE_H
#define MOONWATCH_TEST_RUNQ_FIXTURE_H

#include "abi/runq.h"
#include "own_cgroup.h"
#include "probe_fixture.h"
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define WORKERS_MAX 4
/* A starved worker on a loaded machine takes its time. */
#define WORK_DEADLINE_NS (300 * NS_PER_SECOND)

/* Runs in the worker; `index` of `count` that were let go together. */
typedef void work_fn(void *ctx, int index);

struct worker {
    pid_t pid;
    int go, done; /* pipes: a byte each */
};

struct runq_fixture {
    struct probe_fixture probe;
    int realtime_lock; /* 0: not held */
    char cgroup[320];
    uint64_t cgroup_id;
    struct worker workers[WORKERS_MAX];
    int count;
};

static inline void worker_run(work_fn *work, void *ctx, int index, int go, int done)
{
    char byte;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(go, &byte, 1) == 1) {
        work(ctx, index);
        if (write(done, "d", 1) != 1)
            break;
    }
    _exit(0);
}

/* On CPU 0, which it shares with the others. */
static inline struct worker *worker_start(struct runq_fixture *f, work_fn *work, void *ctx)
{
    struct worker *w = &f->workers[f->count];
    int go[2], done[2];
    cpu_set_t one;

    assert_true(f->count < WORKERS_MAX);
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (w->pid == 0)
        worker_run(work, ctx, f->count, go[0], done[1]);
    f->count++;
    close(go[0]);
    close(done[1]);
    w->go = go[1];
    w->done = done[0];
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    assert_int_equal(sched_setaffinity(w->pid, sizeof(one), &one), 0);
    return w;
}

/* Realtime workers have their CPU for themselves only while no other test program, of this build or
 * another, has any. What all of them lock is a file that each machine has. */
static inline void realtime_lock(struct runq_fixture *f)
{
    if (f->realtime_lock)
        return;
    f->realtime_lock = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
    assert_true(f->realtime_lock > 0);
    assert_int_equal(flock(f->realtime_lock, LOCK_EX), 0);
}

static inline void worker_set_policy(struct runq_fixture *f, const struct worker *w, int policy,
                                     int priority)
{
    const struct sched_param param = {.sched_priority = priority};

    if (policy == SCHED_FIFO || policy == SCHED_RR)
        realtime_lock(f);
    if (sched_setscheduler(w->pid, policy, &param) < 0) {
        print_message("policy %d is not allowed here: %s\n", policy, strerror(errno));
        skip();
    }
}

static inline void worker_enter(const struct worker *w, const char *cgroup)
{
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", w->pid);
    assert_true(cgroup_write(cgroup, "cgroup.procs", pid));
}

/* Until it has left the CPU: its state says so a moment before, this file waits for the switch. */
static inline void worker_wait_asleep(const struct worker *w)
{
    uint64_t deadline = monotonic_ns() + WORK_DEADLINE_NS;
    char path[64], text[128];

    snprintf(path, sizeof(path), "/proc/%d/syscall", w->pid);
    for (;;) {
        FILE *file = fopen(path, "re");
        bool asleep;

        assert_non_null(file);
        asleep = fgets(text, sizeof(text), file) && strncmp(text, "running", 7) != 0;
        fclose(file);
        if (asleep)
            return;
        assert_true(monotonic_ns() < deadline);
        poll(NULL, 0, 1);
    }
}

static inline void workers_let_go(struct runq_fixture *f)
{
    for (int i = 0; i < f->count; i++)
        assert_int_equal(write(f->workers[i].go, "g", 1), 1);
}

/* For realtime workers, which would keep the CPU from the test before it has let them all go: it
 * lets go the last, and each of them lets go the one that was started before it. */
static inline void workers_let_last_go(struct runq_fixture *f)
{
    assert_int_equal(write(f->workers[f->count - 1].go, "g", 1), 1);
}

static inline void worker_let_previous_go(const struct runq_fixture *f, int index)
{
    if (index > 0 && write(f->workers[index - 1].go, "g", 1) != 1)
        _exit(97);
}

static inline void workers_wait(struct runq_fixture *f)
{
    for (int i = 0; i < f->count; i++) {
        struct pollfd done = {.fd = f->workers[i].done, .events = POLLIN};
        char byte;

        assert_int_equal(poll(&done, 1, WORK_DEADLINE_NS / NS_PER_MS), 1);
        assert_int_equal(read(f->workers[i].done, &byte, 1), 1);
        worker_wait_asleep(&f->workers[i]);
    }
}

/* What the kernel tells of all the workers together. As often as they were switched out they had
 * been switched in. */
struct worker_figures {
    unsigned long long on_cpu_ns, voluntary, involuntary;
};

static inline struct worker_figures workers_figures(const struct runq_fixture *f)
{
    struct worker_figures sum = {0};

    for (int i = 0; i < f->count; i++) {
        unsigned long long on_cpu, n;
        char path[64], line[128];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/schedstat", f->workers[i].pid);
        file = fopen(path, "re");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%llu", &on_cpu), 1);
        fclose(file);
        sum.on_cpu_ns += on_cpu;
        snprintf(path, sizeof(path), "/proc/%d/status", f->workers[i].pid);
        file = fopen(path, "re");
        assert_non_null(file);
        while (fgets(line, sizeof(line), file)) {
            if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
                sum.voluntary += n;
            else if (sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1)
                sum.involuntary += n;
        }
        fclose(file);
    }
    return sum;
}

static inline struct worker_figures figures_since(const struct runq_fixture *f,
                                                  const struct worker_figures *before)
{
    struct worker_figures now = workers_figures(f);

    now.on_cpu_ns -= before->on_cpu_ns;
    now.voluntary -= before->voluntary;
    now.involuntary -= before->involuntary;
    return now;
}

struct counter_query {
    const void *key;
    size_t key_size;
    uint64_t *sum;
    size_t words;
};

static inline void counter_add(void *ctx, const void *key, const void *values, unsigned cpus,
                               size_t stride)
{
    struct counter_query *q = ctx;

    if (memcmp(key, q->key, q->key_size) != 0)
        return;
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        for (size_t i = 0; i < q->words; i++)
            q->sum[i] += ((const uint64_t *)((const char *)values + cpu * stride))[i];
}

static inline struct runq_stats class_stats(struct runq_fixture *f, enum priority_class class)
{
    struct runq_stats sum = {0};
    uint32_t key = class;
    struct counter_query q = {&key, sizeof(key), (uint64_t *)&sum, sizeof(sum) / sizeof(uint64_t)};

    assert_true(probe_map_for_each(f->probe.probe, "runq_class", counter_add, &q) > 0);
    return sum;
}

/* The row of the test's cgroup in "runq_cgroup" or "blocked_cgrp"; zeros when it has none. */
static inline struct latency cgroup_latency(struct runq_fixture *f, const char *map)
{
    struct latency sum = {0};
    struct counter_query q = {&f->cgroup_id, sizeof(f->cgroup_id), (uint64_t *)&sum,
                              sizeof(sum) / sizeof(uint64_t)};

    assert_true(probe_map_for_each(f->probe.probe, map, counter_add, &q) >= 0);
    return sum;
}

static inline void runq_make_cgroup(struct runq_fixture *f)
{
    char mount[256];

    assert_true(cgroup_mount(NULL, mount, sizeof(mount)));
    snprintf(f->cgroup, sizeof(f->cgroup), "%s/moonwatch-runq-%d", mount, getpid());
    f->cgroup_id = cgroup_make(f->cgroup);
    assert_int_not_equal(f->cgroup_id, 0);
}

static inline void workers_end(struct runq_fixture *f)
{
    for (int i = 0; i < f->count; i++) {
        kill(f->workers[i].pid, SIGKILL);
        waitpid(f->workers[i].pid, NULL, 0);
        close(f->workers[i].go);
        close(f->workers[i].done);
    }
    f->count = 0;
}

static inline int runq_teardown(struct runq_fixture *f)
{
    workers_end(f);
    fixture_close(&f->probe);
    if (f->cgroup_id)
        cgroup_remove(f->cgroup);
    if (f->realtime_lock)
        close(f->realtime_lock);
    memset(f, 0, sizeof(*f));
    return 0;
}

#endif
