/* Real servers: started by the test on a port and in a directory of their own, ended by their PID,
 * and by the kernel should the test die. */
#ifndef TEST_PROGRAM_H
#define TEST_PROGRAM_H

#include "base/clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PROGRAM_DEADLINE_NS (120 * NS_PER_SECOND)

/* On which nobody listens, and which nobody else is given while this process lives: it stays bound.
 * A server that asks for it by number with SO_REUSEADDR, as servers do, gets it. */
static inline uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_true(held >= 0);
    assert_int_equal(setsockopt(held, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(held, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(held, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static inline void pause_briefly(void)
{
    usleep(10000); /* on purpose: between two looks */
}

static inline void wait_for_port(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t deadline_ns = clock_monotonic_ns(clock_system()) + PROGRAM_DEADLINE_NS;
    bool connected = false;

    while (!connected) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        connected = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (!connected && clock_monotonic_ns(clock_system()) > deadline_ns)
            fail_msg("nothing listens on port %u", port);
        if (!connected)
            pause_briefly();
    }
}

/* As `user` (NULL: as the test), output into `log` (NULL: nowhere). */
static inline pid_t program_start(char *const *argv, const char *user, const char *log)
{
    const struct passwd *entry = user && geteuid() == 0 ? getpwnam(user) : NULL;
    pid_t parent = getpid(), pid = fork();

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    int out = open(log ? log : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0666);

    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (entry && (setgid(entry->pw_gid) < 0 || setuid(entry->pw_uid) < 0))
        _exit(126);
    /* After setuid(), which clears it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    execvp(argv[0], argv);
    _exit(127);
}

static inline int program_wait(pid_t pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void program_stop(pid_t pid, int signo)
{
    if (pid <= 0)
        return;
    kill(pid, signo);
    program_wait(pid);
}

static inline void program_run(char *const *argv, const char *user)
{
    int status = program_wait(program_start(argv, user, NULL));

    if (status)
        fail_msg("%s exits with %d", argv[0], status);
}

static inline void make_directory(char path[64], const char *user)
{
    const struct passwd *entry = user && geteuid() == 0 ? getpwnam(user) : NULL;

    snprintf(path, 64, "/tmp/moonwatch-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    if (entry)
        assert_int_equal(chown(path, entry->pw_uid, entry->pw_gid), 0);
}

static inline int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void remove_directory(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#endif
