/* What a tick cannot do without: wakes once per INTERVAL_MS and preads each file to its end, all of
 * them opened once. Runs until it is ended; the script that started it reads its CPU time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* All of a small file, and no more: for those of /proc/sys the kernel first clears as much memory
 * as is asked for. */
static char text[8192];

static int open_all(char **paths, int count, int *ret_fds)
{
    for (int i = 0; i < count; i++) {
        ret_fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (ret_fds[i] < 0) {
            fprintf(stderr, "floor: %s: %s\n", paths[i], strerror(errno));
            return -1;
        }
    }
    return 0;
}

static void read_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        off_t at = 0;
        ssize_t n;

        while ((n = pread(fds[i], text, sizeof(text), at)) > 0)
            at += n;
    }
}

int main(int argc, char **argv)
{
    int interval_ms = argc > 2 ? atoi(argv[1]) : 0, count = argc - 2;
    int *fds = interval_ms > 0 ? calloc((size_t)count, sizeof(*fds)) : NULL;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec every = {
        .it_interval = {interval_ms / 1000, interval_ms % 1000 * 1000000L},
        .it_value = {interval_ms / 1000, interval_ms % 1000 * 1000000L},
    };
    uint64_t expired;

    if (!fds) {
        fprintf(stderr, "usage: floor INTERVAL_MS FILE...\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (open_all(argv + 2, count, fds) < 0 || timer < 0 ||
        timerfd_settime(timer, 0, &every, NULL) < 0)
        return 1;
    while (read(timer, &expired, sizeof(expired)) == sizeof(expired))
        read_all(fds, count);
    return 1;
}
