/* From 6.12 on the kernel stamps as enqueued what it moves to another CPU while it sleeps: such a
 * sleep is no wait. Sleepers measure how late they run beside others that compute. */
#include "runq_fixture.h"
#include <sys/mman.h>

#define SLEEPERS 60
#define ROUNDS 25
#define RUNS 5
#define BURN_NS (3 * NS_PER_MS)
#define SLEEP_MIN_NS (200 * NS_PER_MS)

static struct runq_fixture f;

struct measured {
    uint64_t late_ns[SLEEPERS]; /* at most */
    uint32_t done;
};

static struct measured *measured;
static pid_t sleepers[SLEEPERS], hogs[64];
static int hog_count;

static void end_all(pid_t *pids, int count)
{
    for (int i = 0; i < count; i++) {
        if (pids[i] > 0) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
        pids[i] = 0;
    }
}

static int clean_up(void **state)
{
    (void)state;
    end_all(sleepers, SLEEPERS);
    end_all(hogs, hog_count);
    if (measured)
        munmap(measured, sizeof(*measured));
    measured = NULL;
    return runq_teardown(&f);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static void burn_and_sleep(int index)
{
    unsigned seed = (unsigned)index;
    uint64_t late_ns = 0;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began_ns = monotonic_ns(), began_cpu_ns = cpu_ns(), burn_ns, slept_ns, spent_ns;
        struct timespec sleep = {0};

        burn_ns = (uint64_t)rand_r(&seed) % (2 * BURN_NS);
        while (cpu_ns() - began_cpu_ns < burn_ns)
            ;
        slept_ns = SLEEP_MIN_NS + (uint64_t)rand_r(&seed) % SLEEP_MIN_NS;
        sleep.tv_nsec = (long)slept_ns;
        nanosleep(&sleep, NULL); /* on purpose: a sleep of known length is what is judged */
        spent_ns = monotonic_ns() - began_ns - slept_ns - (cpu_ns() - began_cpu_ns);
        late_ns = spent_ns > late_ns ? spent_ns : late_ns;
    }
    measured->late_ns[index] = late_ns;
    __sync_fetch_and_add(&measured->done, 1);
    for (;;)
        pause();
}

static void start_all(void)
{
    memset(measured, 0, sizeof(*measured));
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i] = fork();
        assert_true(sleepers[i] >= 0);
        if (sleepers[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (!cgroup_write(f.cgroup, "cgroup.procs", "0"))
                _exit(98);
            burn_and_sleep(i);
        }
    }
}

static void start_hogs(void)
{
    hog_count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    hog_count = hog_count < 64 ? hog_count : 64;
    for (int i = 0; i < hog_count; i++) {
        hogs[i] = fork();
        assert_true(hogs[i] >= 0);
        if (hogs[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                ;
        }
    }
}

/* Waits that nobody had, of a run. What is not measured, as the end, has twice the room. */
static uint64_t impossible_waits(void)
{
    uint64_t deadline_ns = monotonic_ns() + WORK_DEADLINE_NS, late_ns = 10 * NS_PER_MS, count = 0;
    struct latency before = cgroup_latency(&f, "runq_cgroup"), after;

    start_all();
    while (__atomic_load_n(&measured->done, __ATOMIC_ACQUIRE) < SLEEPERS) {
        assert_true(monotonic_ns() < deadline_ns);
        poll(NULL, 0, 20);
    }
    after = cgroup_latency(&f, "runq_cgroup");
    end_all(sleepers, SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++)
        late_ns = measured->late_ns[i] > late_ns ? measured->late_ns[i] : late_ns;
    for (uint32_t slot = slot_of_ns(2 * late_ns) + 1; slot < SLOT_COUNT; slot++)
        count += after.slots[slot] - before.slots[slot];
    print_message("%llu waits, %llu of them longer than twice %.1f ms\n",
                  (unsigned long long)(after.count - before.count), (unsigned long long)count,
                  (double)late_ns / NS_PER_MS);
    assert_true(after.count - before.count >= SLEEPERS * ROUNDS / 2);
    return count;
}

static void a_sleep_in_which_a_task_is_moved_is_no_wait(void **state)
{
    int run = 1;

    (void)state;
    skip_unless_root();
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        print_message("one CPU: nothing is moved to another\n");
        skip();
    }
    measured =
        mmap(NULL, sizeof(*measured), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(measured != MAP_FAILED);
    runq_make_cgroup(&f);
    fixture_open(&f.probe, 1u << CONCERN_RUNQ, PROBE_AUTO);
    start_hogs();
    while (impossible_waits() > 0)
        assert_true(++run <= RUNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_sleep_in_which_a_task_is_moved_is_no_wait, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
