/* So many of what only a real kernel has, until standard input ends; "ok" says that it is there.
 * `processes COUNT`: they sleep. `cgroups COUNT DIRECTORY`: made there, and in each of them
 * somebody waited for a CPU once. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <signal.h>

#define WAITS 3
#define WAIT_US 200

static int give_up(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    return 1;
}

static void wait_for_end(void)
{
    char byte;

    if (write(STDOUT_FILENO, "ok\n", 3) == 3)
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
}

/* They end by themselves: killed ones are crashes, which somebody would count. */
static int processes(unsigned count)
{
    int end[2];
    char byte;

    if (pipe2(end, O_CLOEXEC) < 0)
        return give_up("pipe");
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return give_up("fork");
        if (pid == 0) {
            close(end[1]);
            _exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
        }
    }
    wait_for_end();
    close(end[1]);
    while (wait(NULL) > 0)
        ;
    return 0;
}

static void name_of(char out[256], const char *directory, unsigned i, const char *file)
{
    snprintf(out, 256, "%.200s/c%04u%s", directory, i, file);
}

static int move_to(const char *procs)
{
    int fd = open(procs, O_WRONLY | O_CLOEXEC), written = fd < 0 ? -1 : (int)write(fd, "0", 1);

    if (fd >= 0)
        close(fd);
    return written == 1 ? 0 : -1;
}

static int visit(const char *directory, unsigned count)
{
    char path[256];

    for (unsigned i = 0; i < count; i++) {
        name_of(path, directory, i, "/cgroup.procs");
        if (move_to(path) < 0)
            return give_up(path);
        for (unsigned wait = 0; wait < WAITS; wait++)
            usleep(WAIT_US);
    }
    return 0;
}

static int make_and_visit(const char *directory, unsigned count)
{
    char path[256];
    int status = 1;
    pid_t pid;

    for (unsigned i = 0; i < count; i++) {
        name_of(path, directory, i, "");
        if (dir_create_all(path, 0755) < 0)
            return give_up(path);
    }
    pid = fork();
    if (pid < 0)
        return give_up("fork");
    if (pid == 0)
        _exit(visit(directory, count));
    waitpid(pid, &status, 0);
    return status == 0 ? 0 : 1;
}

static int cgroups(const char *directory, unsigned count)
{
    char path[256];
    int status = make_and_visit(directory, count);

    if (status == 0)
        wait_for_end();
    for (unsigned i = 0; i < count; i++) {
        name_of(path, directory, i, "");
        rmdir(path);
    }
    rmdir(directory);
    return status;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (argc == 3 && strcmp(argv[1], "processes") == 0)
        return processes(count);
    if (argc == 4 && strcmp(argv[1], "cgroups") == 0)
        return cgroups(argv[3], count);
    fprintf(stderr, "usage: crowd processes COUNT | crowd cgroups COUNT DIRECTORY\n");
    return 2;
}
