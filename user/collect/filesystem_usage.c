/* Asking the kernel how full a mount is, without waiting on the way to it. */
#include "base/cleanup.h"
#include "collect/filesystems.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A walk without waiting also fails when a rename crosses it. */
#define WALK_ATTEMPTS 3

/* An automount that is about to unmount makes those wait who come by. What is mounted is in the
 * kernel's cache of names, where the walk ends rather than wait. */
static int open_place(const struct filesystem_place *place)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    int fd = -1;

    for (int i = 0; i < WALK_ATTEMPTS && fd < 0; i++) {
        fd = (int)syscall(SYS_openat2, AT_FDCWD, place->path, &how, sizeof(how));
        if (fd < 0 && errno != EAGAIN)
            break;
    }
    if (fd < 0 && !place->automounted)
        fd = open(place->path, O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int filesystem_usage(void *ctx, const struct filesystem_place *place, struct statvfs *ret)
{
    struct statx stx;
    CLEANUP_CLOSE int fd = open_place(place);

    (void)ctx;
    if (fd < 0)
        return fd;
    if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0)
        return -errno;
    if (place->mount_id && (stx.stx_mask & STATX_MNT_ID) && stx.stx_mnt_id != place->mount_id)
        return -ESTALE;
    return fstatvfs(fd, ret) < 0 ? -errno : 0;
}
