/* The mounted filesystems that have storage of their own, one row each.
 *
 * Memory that people write to (tmpfs on /tmp, /dev/shm ...) and the root, whatever it is, have rows
 * too. Left out: other filesystems without storage (proc, overlay), further mounts of a filesystem
 * that has its row (bind mounts, btrfs subvolumes), mounts that others cover, and everything behind
 * a server (NFS, CIFS, FUSE ...) together with what is mounted in its directories: asking a server
 * that hangs would stop the agent's only thread in the kernel, where no timeout ends it.
 */
#ifndef MOONWATCH_COLLECT_FILESYSTEMS_H
#define MOONWATCH_COLLECT_FILESYSTEMS_H

#include "base/host.h"
#include "model/disk.h"
#include <sys/statvfs.h>

struct filesystem_place {
    const char *path;
    unsigned mount_id; /* 0: any */
    bool automounted;  /* -EAGAIN rather than wait on the way */
};

struct filesystems_ops {
    /* 0, -ESTALE when the path leads to another mount (this one is covered), or another negative
     * errno. */
    int (*usage)(void *ctx, const struct filesystem_place *place, struct statvfs *ret);
    void *ctx;
};

/* The kernel's answer; `ctx` is not used. */
int filesystem_usage(void *ctx, const struct filesystem_place *place, struct statvfs *ret);

struct filesystems;

/* `ops` is copied; NULL: the kernel's. */
int filesystems_create(struct filesystems **ret, const struct host *host,
                       const struct filesystems_ops *ops);
void filesystems_destroy(struct filesystems *filesystems);
/* Fills the filesystem part of the section. */
void filesystems_sample(struct filesystems *filesystems, uint64_t now_ns,
                        struct disk_snapshot *disk);

#endif
