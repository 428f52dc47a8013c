/* A cgroup of the test's own, made below a mounted hierarchy and removed again. */
#ifndef MOONWATCH_TEST_OWN_CGROUP_H
#define MOONWATCH_TEST_OWN_CGROUP_H

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The mount point of cgroup v2 (`controller` NULL), or of the v1 hierarchy of a controller. */
static inline bool cgroup_mount(const char *controller, char *ret, size_t size)
{
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    struct mntent *m;
    bool found = false;

    while (mounts && !found && (m = getmntent(mounts))) {
        found = controller ? strcmp(m->mnt_type, "cgroup") == 0 && hasmntopt(m, controller)
                           : strcmp(m->mnt_type, "cgroup2") == 0;
        if (found)
            snprintf(ret, size, "%s", m->mnt_dir);
    }
    if (mounts)
        endmntent(mounts);
    return found;
}

/* The inode number of its directory. What a killed run left under the same name is put away. */
static inline uint64_t cgroup_make(const char *path)
{
    struct stat st;

    rmdir(path);
    if ((mkdir(path, 0755) < 0) || stat(path, &st) < 0)
        return 0;
    return st.st_ino;
}

static inline bool cgroup_write(const char *path, const char *file, const char *text)
{
    char name[512];
    ssize_t n;
    int fd;

    snprintf(name, sizeof(name), "%s/%s", path, file);
    fd = open(name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text);
}

/* Ended processes leave their cgroup a moment after they were waited for. */
static inline void cgroup_remove(const char *path)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};

    for (int i = 0; i < 24000 && rmdir(path) < 0 && errno == EBUSY; i++)
        nanosleep(&moment, NULL); /* on purpose: between two looks */
}

#endif
