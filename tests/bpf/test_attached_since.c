/* What began before programs were shed, and ended after they were attached again, is not counted:
 * they cannot tell it from what ended and began again meanwhile. */
#include "abi/task.h"
#include "attached_again.h"
#include "tcp_fixture.h"
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PORT own_ports.first
#define ROUNDS 20
/* Longer than what comes after it, or it could not be told from that. */
#define SLEEP_NS (100 * NS_PER_MS)

/* A process that sleeps uninterruptibly, as the parent of a vfork(), until it is told, each round.
 */
struct sleeper {
    pid_t pid;
    int go[2], woke[2];
};

static struct sleeper sleeper = {.pid = -1};

static void sleep_in_rounds(void)
{
    char byte;

    if (read(sleeper.go[0], &byte, 1) != 1)
        _exit(97);
    for (int i = 0; i < ROUNDS; i++) {
        long pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

        if (pid == 0)
            syscall(SYS_exit_group, read(sleeper.go[0], &byte, 1) == 1 ? 0 : 1);
        if (pid < 0 || write(sleeper.woke[1], "w", 1) != 1)
            _exit(98);
        waitpid((pid_t)pid, NULL, 0);
    }
    pause();
}

static void start_sleeper(void)
{
    assert_int_equal(pipe2(sleeper.go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(sleeper.woke, O_CLOEXEC), 0);
    sleeper.pid = fork();
    assert_true(sleeper.pid >= 0);
    if (sleeper.pid == 0) {
        close(sleeper.go[1]); /* who waits there is to end with the test */
        sleep_in_rounds();
        _exit(0);
    }
}

static void wait_asleep(void)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    char path[64], state = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", sleeper.pid);
    while (state != 'D') {
        FILE *file = fopen(path, "re");

        assert_true(monotonic_ns() < deadline);
        assert_non_null(file);
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        fclose(file);
        poll(NULL, 0, 1);
    }
}

static void wake(void)
{
    char byte;

    assert_int_equal(write(sleeper.go[1], "g", 1), 1);
    assert_int_equal(read(sleeper.woke[0], &byte, 1), 1);
}

static void add_blocked(void *ctx, const struct task_row *row)
{
    if (row->pid == (uint32_t)sleeper.pid)
        *(uint64_t *)ctx = row->blocked_ns;
}

static uint64_t blocked_ns(struct tcp_fixture *f)
{
    uint64_t ns = UINT64_MAX;

    assert_true(probe_tasks_for_each(f->probe.probe, add_blocked, &ns) > 0);
    assert_true(ns != UINT64_MAX);
    return ns;
}

static int end_sleeper(void **state)
{
    if (sleeper.pid > 0) {
        kill(sleeper.pid, SIGKILL);
        close(sleeper.go[1]);
        waitpid(sleeper.pid, NULL, 0);
        close(sleeper.go[0]);
        close(sleeper.woke[0]);
        close(sleeper.woke[1]);
        sleeper.pid = -1;
    }
    return tcp_teardown(state);
}

static void check_sleeps(struct tcp_fixture *f, enum probe_mode mode)
{
    uint64_t asleep_ns, wake_ns, before_ns;

    skip_unless_root();
    /* First, or it would hold the links that are to end. */
    start_sleeper();
    fixture_open(&f->probe, 1u << CONCERN_RUNQ | 1u << CONCERN_TASKS, mode);
    assert_int_equal(write(sleeper.go[1], "b", 1), 1);
    wait_asleep();
    asleep_ns = monotonic_ns();
    attach_again(f->probe.probe, ATTACHED_RUNQ);
    while (monotonic_ns() - asleep_ns < SLEEP_NS)
        poll(NULL, 0, 1);
    wake_ns = monotonic_ns();
    wake();
    wait_asleep();
    /* The sleep before has ended, or it could not have begun another. A page fault or the like may
     * have added one that began after that. */
    assert_true(blocked_ns(f) < monotonic_ns() - wake_ns);
    before_ns = blocked_ns(f);
    /* One that is woken after it has the state and before it is off the CPU has not slept. */
    for (int round = 1; round < ROUNDS && blocked_ns(f) == before_ns; round++) {
        wait_asleep();
        wake();
    }
    assert_true(blocked_ns(f) > before_ns);
}

static void sleeps_that_were_lost_sight_of(void **state)
{
    check_sleeps(tcp_fixture_of(state), PROBE_AUTO);
}

static void likewise_with_the_twin(void **state)
{
    check_sleeps(tcp_fixture_of(state), PROBE_TWIN);
}

static void connections_that_were_lost_sight_of(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct pair p;
    int listener;

    tcp_open(f);
    listener = listen_at("127.0.0.1", PORT, 4);
    p = pair_open(listener, "127.0.0.1", PORT);
    WAIT_ROW(f, TCP_CLIENT, PORT, opened, 1);
    attach_again(f->probe.probe, ATTACHED_TCP);
    for (int i = 1; i <= 2; i++) {
        close(p.server);
        wait_readable(p.client);
        close(p.client);
        WAIT_ROW(f, TCP_CLIENT, PORT, closed, i);
        assert_int_equal(row_of(f, TCP_CLIENT, PORT).lifetime.count, i - 1);
        if (i == 1)
            p = pair_open(listener, "127.0.0.1", PORT);
    }
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sleeps_that_were_lost_sight_of, tcp_setup, end_sleeper),
        cmocka_unit_test_setup_teardown(likewise_with_the_twin, tcp_setup, end_sleeper),
        cmocka_unit_test_setup_teardown(connections_that_were_lost_sight_of, tcp_setup,
                                        tcp_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
