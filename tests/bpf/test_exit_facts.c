/* What a service manager started, and what that started: told apart as processes really end. */
#include "abi/exit.h"
#include "own_cgroup.h"
#include "probe_fixture.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct probe_fixture f;
static char cgroup[320];

static int clean_up(void **state)
{
    (void)state;
    fixture_close(&f);
    cgroup_remove(cgroup);
    return 0;
}

/* Of the process that is waited for by number, though it may not be the first that was made. */
static int pid_pipe[2];

static void tell_pid(pid_t pid)
{
    if (write(pid_pipe[1], &pid, sizeof(pid)) != sizeof(pid))
        _exit(96);
}

static void end_as_main(void)
{
    setsid();
    tell_pid(getpid());
    _exit(3);
}

static void end_in_session(void)
{
    tell_pid(getpid());
    _exit(3);
}

static void end_as_child(void)
{
    pid_t child;

    setsid();
    child = fork();
    if (child == 0)
        _exit(3);
    waitpid(child, NULL, 0);
    tell_pid(child);
    _exit(0);
}

/* As what a build server's shell starts. */
static void end_as_grandchild(void)
{
    pid_t child;

    setsid();
    child = fork();
    if (child == 0)
        end_as_child();
    waitpid(child, NULL, 0);
    _exit(0);
}

/* As a daemon does it: the one between leads the session and has ended. */
static void end_as_daemon(void)
{
    pid_t between = fork();

    if (between == 0) {
        pid_t me = getpid();

        setsid();
        if (fork() > 0)
            _exit(0);
        while (getppid() == me || kill(me, 0) == 0)
            sched_yield();
        tell_pid(getpid());
        _exit(3);
    }
    waitpid(between, NULL, 0);
    _exit(0);
}

/* What a script leaves in the background, whose parent is the manager by then. */
static void end_as_orphan(void)
{
    int done[2];
    char byte;
    pid_t between;

    setsid();
    if (pipe(done) < 0)
        _exit(95);
    between = fork();
    if (between == 0) {
        pid_t me = getpid();

        if (fork() > 0)
            _exit(0);
        while (getppid() == me)
            sched_yield();
        tell_pid(getpid());
        _exit(3);
    }
    waitpid(between, NULL, 0);
    close(done[1]);
    /* The orphan has its end too until it ends. */
    while (read(done[0], &byte, 1) > 0)
        ;
    _exit(0);
}

static pid_t fork_inside(int status)
{
    pid_t child = fork();

    if (child)
        return child;
    if (!cgroup_write(cgroup, "cgroup.procs", "0"))
        _exit(98);
    setsid();
    if (status < 0)
        pause();
    _exit(status);
}

/* A container's shim stays outside of the container's cgroup and namespace. */
static void end_in_container(void)
{
    if (unshare(CLONE_NEWPID) < 0)
        _exit(94);
    tell_pid(fork_inside(3));
    while (wait(NULL) > 0)
        ;
    _exit(0);
}

/* As `docker exec` and health checks do. */
static void end_beside_container(void)
{
    pid_t main;

    if (unshare(CLONE_NEWPID) < 0)
        _exit(94);
    main = fork_inside(-1);
    tell_pid(fork_inside(3));
    wait(NULL);
    kill(main, SIGKILL);
    wait(NULL);
    _exit(0);
}

static void end_at_terminal(void)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), mine;
    struct rlimit no_core = {0};

    setsid();
    setrlimit(RLIMIT_CORE, &no_core);
    if (terminal < 0 || unlockpt(terminal) < 0)
        _exit(93);
    mine = open(ptsname(terminal), O_RDWR);
    if (mine < 0)
        _exit(92);
    tell_pid(getpid());
    raise(SIGQUIT);
}

struct head {
    const char *name;
    void (*end)(void);
    uint32_t facts;
    bool outside; /* it goes into the cgroup by itself */
};

static const struct head heads[] = {
    {"a service's main process", end_as_main, EXIT_HEADS_CGROUP},
    {"one that leads no session", end_in_session, 0},
    {"its child", end_as_child, EXIT_CHILD_OF_HEAD},
    {"its child's child", end_as_grandchild, 0},
    {"a daemon", end_as_daemon, EXIT_HEADS_CGROUP},
    {"a script's orphan", end_as_orphan, 0},
    {"a container's first", end_in_container, EXIT_HEADS_CGROUP | EXIT_HEADS_NAMESPACE, true},
    {"one put into a container", end_beside_container, 0, true},
    {"at a terminal", end_at_terminal, EXIT_HEADS_CGROUP | EXIT_ON_TERMINAL},
};

/* The first of these that could not do what it is there for. */
#define LEAST_FAILURE 92

static void start_in(const char *name, void (*end)(void), const char *in_cgroup)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        if (in_cgroup && !cgroup_write(in_cgroup, "cgroup.procs", "0"))
            _exit(98);
        end();
        _exit(97);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    /* Else its number would be waited for in vain. */
    if (WIFEXITED(status) && WEXITSTATUS(status) >= LEAST_FAILURE)
        fail_msg("%s: it could not be made (%d)", name, WEXITSTATUS(status));
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

static void main_processes_are_told_from_their_children(void **state)
{
    struct record_exit record;
    struct stat root;
    char mount[256];

    (void)state;
    skip_unless_root();
    assert_true(cgroup_mount(NULL, mount, sizeof(mount)));
    assert_int_equal(stat(mount, &root), 0);
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-test-%d", mount, getpid());
    assert_true(cgroup_make(cgroup) > 0);
    assert_int_equal(pipe(pid_pipe), 0);
    /* Orphans come to the test, which stays outside as a manager does. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    fixture_open(&f, 1u << CONCERN_PROCESS, PROBE_AUTO);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        pid_t pid;

        start_in(heads[i].name, heads[i].end, heads[i].outside ? NULL : cgroup);
        assert_int_equal(read(pid_pipe[0], &pid, sizeof(pid)), sizeof(pid));
        fixture_wait(&f, fixture_has_exit, &pid, heads[i].name);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        assert_int_equal(exits_of(pid, &record), 1);
        if (record.facts != heads[i].facts)
            fail_msg("%s: facts %u", heads[i].name, record.facts);
        assert_string_equal(record.cgroup_name, strrchr(cgroup, '/') + 1);
        assert_true(record.cgroup_parent_id == root.st_ino);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    close(pid_pipe[0]);
    close(pid_pipe[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(main_processes_are_told_from_their_children, clean_up),
    };

    /* Where there is no shell with a session, as in a guest; else it is refused. */
    setsid();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
