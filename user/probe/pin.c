#include "probe/pin.h"
#include "base/cleanup.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define BPFFS "/sys/fs/bpf"

static bool on_bpffs(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* The directory that holds `path`. */
static void parent_of(const char *path, char out[256])
{
    char *slash;

    snprintf(out, 256, "%s", path);
    slash = strrchr(out, '/');
    if (slash && slash != out)
        *slash = '\0';
}

/* A link whose last reference goes is detached in the kernel's own time: it is told to, at once. */
bool pin_drop(const struct pin_directory *pins, const char *name)
{
    CLEANUP_CLOSE int fd = -1;
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", pins->path, name);
    fd = bpf_obj_get(path);
    if (fd >= 0)
        bpf_link_detach(fd); /* refused for maps */
    return unlinkat(pins->fd, name, 0) == 0;
}

unsigned pin_remove(struct pin_directory *pins, bool (*keeps)(const char *name))
{
    int fd = fcntl(pins->fd, F_DUPFD_CLOEXEC, 0);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    unsigned removed = 0;

    if (!directory) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    rewinddir(directory);
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!pin_is_ours(pins, entry->d_name))
            continue;
        if (keeps && keeps(entry->d_name)) {
            pins->kept++;
            continue;
        }
        removed += pin_drop(pins, entry->d_name);
    }
    closedir(directory);
    return removed;
}

__attribute__((format(printf, 2, 3))) static int unpinned(struct pin_directory *pins,
                                                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(pins->unpinned_reason, sizeof(pins->unpinned_reason), format, args);
    va_end(args);
    return 0;
}

/* 0 when something can be pinned below `path`; else the reason is set. */
static int find_bpffs(struct pin_directory *pins, const char *path, bool may_mount)
{
    char parent[256];

    if (strcmp(path, BPFFS) == 0) {
        unpinned(pins, "%s is where bpffs is mounted (a directory below it is wanted)", path);
        return -EINVAL;
    }
    parent_of(path, parent);
    if (on_bpffs(parent))
        return 0;
    if (strncmp(path, BPFFS "/", sizeof(BPFFS)) != 0 || on_bpffs(BPFFS)) {
        if (access(parent, F_OK) < 0)
            unpinned(pins, "%s: %s", parent, strerror(errno));
        else
            unpinned(pins, "%s is not on a bpffs", parent);
        return -EINVAL;
    }
    if (!may_mount) {
        unpinned(pins, "no bpffs at " BPFFS " and a dry run mounts none");
        return -EPERM;
    }
    if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
        return 0;
    unpinned(pins, "no bpffs at " BPFFS " and it cannot be mounted: %s", strerror(errno));
    return -EPERM;
}

static int refuse_foreign(struct pin_directory *pins, char error[PROBE_ERROR_BYTES])
{
    char name[NAME_MAX + 1];

    if (!pin_find_foreign(pins, name))
        return 0;
    snprintf(error, PROBE_ERROR_BYTES,
             "%.100s holds %.40s, which is no agent's (set server.bpffs_directory to a directory "
             "of the agent's own)",
             pins->path, name);
    return -ENOTEMPTY;
}

static int lock_patiently(const char *path, int *ret_fd, int *ret_holder)
{
    int err = -EAGAIN;

    for (int attempt = 0; err == -EAGAIN && attempt < 10; attempt++)
        err = pin_lock_directory(path, ret_fd, ret_holder);
    return err;
}

static void release_name(struct pin_directory *pins)
{
    if (pins->name_fd >= 0)
        close(pins->name_fd);
    pins->name_fd = -1;
}

int pin_take(struct pin_directory *pins, const char *path, bool may_mount,
             bool (*keeps)(const char *name), char error[PROBE_ERROR_BYTES])
{
    int err, holder = 0;

    pins->fd = -1;
    pins->name_fd = -1;
    if (!path)
        return unpinned(pins, "no pin directory is wanted");
    if (pin_path_resolve(path, pins->path) < 0)
        return unpinned(pins, "%.100s is not the absolute path of a directory", path);
    if (find_bpffs(pins, pins->path, may_mount) < 0)
        return 0;
    path = pins->path;
    pins->name_fd = pin_lock_name(path, &holder);
    err = pins->name_fd == -EBUSY ? -EBUSY : lock_patiently(path, &pins->fd, &holder);
    if (err < 0)
        release_name(pins);
    if (err == -EBUSY) {
        if (holder > 0)
            snprintf(error, PROBE_ERROR_BYTES, "another moonwatch agent (pid %d) holds %.200s",
                     holder, path);
        else
            snprintf(error, PROBE_ERROR_BYTES, "another moonwatch agent holds %.200s", path);
        return err;
    }
    if (err < 0)
        return unpinned(pins, "cannot take %s: %s", path, strerror(-err));
    pins->of_agent = pin_finds_agent(pins);
    err = refuse_foreign(pins, error);
    if (err < 0) {
        close(pins->fd);
        pins->fd = -1;
        release_name(pins);
        return err;
    }
    pins->taken_over = pin_remove(pins, keeps) + pins->kept;
    pins->of_agent = false;
    return 0;
}

int pin_map(const struct pin_directory *pins, int fd, const char *name)
{
    char path[512];

    if (pins->fd < 0)
        return 0;
    snprintf(path, sizeof(path), "%s/%s", pins->path, name);
    return bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

bool pin_is_gone(const struct pin_directory *pins)
{
    struct stat taken, present;

    return fstat(pins->fd, &taken) < 0 || stat(pins->path, &present) < 0 ||
           taken.st_dev != present.st_dev || taken.st_ino != present.st_ino;
}

int pin_take_again(struct pin_directory *pins, char why[PROBE_ERROR_BYTES])
{
    int taken = pins->fd, fd = -1, holder = 0, err;
    char parent[256];

    parent_of(pins->path, parent);
    if (!on_bpffs(parent)) {
        snprintf(why, PROBE_ERROR_BYTES, "%.200s is not on a bpffs any more", parent);
        return -ENODEV;
    }
    err = lock_patiently(pins->path, &fd, &holder);
    if (err < 0) {
        snprintf(why, PROBE_ERROR_BYTES, "%s",
                 err == -EBUSY ? "another agent holds the directory" : strerror(-err));
        return err;
    }
    pins->fd = fd;
    err = refuse_foreign(pins, why);
    if (err < 0) {
        pins->fd = taken;
        taken = fd;
    }
    close(taken);
    return err;
}

void pin_release(struct pin_directory *pins)
{
    if (pins->fd < 0)
        return;
    pin_remove(pins, NULL);
    /* Before the lock goes, so that whoever waits for it finds a directory of its own making. */
    if (!pin_is_gone(pins))
        rmdir(pins->path);
    release_name(pins);
    close(pins->fd);
    pins->fd = -1;
}
