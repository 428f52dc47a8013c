#include "base/open_files.h"
#include <dirent.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned count_of(rlim_t limit)
{
    return limit < INT_MAX ? (unsigned)limit : INT_MAX;
}

unsigned open_files_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : count_of(limit.rlim_cur);
}

unsigned open_files_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return open_files_limit();
}

unsigned open_files_count(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory));) // NOLINT(concurrency-mt-unsafe)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; /* the directory itself */
}

void open_files_hold(struct open_files_held *held, unsigned wanted)
{
    while (held->count < wanted && held->count < OPEN_FILES_HELD_MAX) {
        int fd = eventfd(0, EFD_CLOEXEC);

        if (fd < 0)
            return;
        held->fds[held->count++] = fd;
    }
}

void open_files_release(struct open_files_held *held)
{
    while (held->count > 0)
        close(held->fds[--held->count]);
}
