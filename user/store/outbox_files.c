#include "store/outbox_files.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_link(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* What is in it is for the receivers alone: names of processes, mounts, hosts. SQLite gives the
 * files beside the database its mode; what goes wrong here, SQLite says, but a symbolic link it
 * would follow. Its own SQLITE_OPEN_NOFOLLOW refuses links among the directories too, which systemd
 * makes. */
int outbox_files_keep_private(const char *path, char *why, size_t size)
{
    static const struct {
        const char *suffix;
        int flags;
    } files[] = {{"", O_CREAT}, {"-wal", 0}, {"-shm", 0}};
    char name[PATH_MAX];

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        int fd;

        if (snprintf(name, sizeof(name), "%s%s", path, files[i].suffix) >= (int)sizeof(name))
            return 0;
        fd = open(name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | files[i].flags, 0600);
        if (fd < 0 && errno == ELOOP && is_link(name)) {
            snprintf(why, size, "the file%s%s is a symbolic link, which is not followed: remove it",
                     *files[i].suffix ? " with " : "", files[i].suffix);
            return -EACCES;
        }
        if (fd < 0)
            continue;
        fchmod(fd, 0600);
        close(fd);
    }
    return 0;
}

int outbox_files_move_aside(const char *path, uint64_t realtime_ns, char *ret, size_t size)
{
    static const char *const parts[] = {"-wal", "-shm", ""};
    char from[512], to[512];

    snprintf(ret, size, "%s.damaged-%llu", path, (unsigned long long)(realtime_ns / NS_PER_SECOND));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(from, sizeof(from), "%s%s", path, parts[i]);
        snprintf(to, sizeof(to), "%s%s", ret, parts[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}
