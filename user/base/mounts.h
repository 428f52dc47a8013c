/* Lines of /proc/PID/mountinfo (Documentation/filesystems/proc.rst, section 3.5). */
#ifndef MOONWATCH_BASE_MOUNTS_H
#define MOONWATCH_BASE_MOUNTS_H

#include "base/host.h"
#include "base/scan.h"
#include <limits.h>

struct mount_line {
    unsigned id, parent;   /* parent: the mount it is on; not listed when outside our root */
    unsigned major, minor; /* of the filesystem; major 0: it has no block device of its own */
    char root[PATH_MAX];   /* the directory of the filesystem that is mounted */
    char target[PATH_MAX]; /* where */
    char source[PATH_MAX]; /* "/dev/sda1"; "" or any text for filesystems without a device */
    char type[64];
    struct scan mount_options; /* of this mount of it; inside the text scanned */
    /* Of the filesystem. What is to be known of the host is here: a sandbox that mounts everything
     * read-only for the agent does not stop the others from filling the disk. */
    struct scan options;
};

/* The next complete line that makes sense; false at the end. Escapes (\040) are undone. */
bool mounts_next(struct scan *file, struct mount_line *ret);

/* True when the comma-separated list has `option`. */
bool mounts_option(struct scan options, const char *option);

/* What the host calls a path that the agent sees: "/var" for "/host/var" below the root "/host".
 * NULL when it is outside of the root. */
const char *mounts_host_name(const char *root, const char *path);

/* Where a mount of the agent's own list is opened, if it is one of the host's: below an injected
 * /sys it is HOST_SYS/fs/cgroup for /sys/fs/cgroup. False when it is not or does not fit. */
bool mounts_host_path(const struct host *host, const char *target, char *out, size_t size);

#endif
