/* Whether a filesystem that was written to still is, and what says that an error ended it.
 *
 * After an error ext4 shows `emergency_ro` or `shutdown` (kernels from 6.15 on), before that and as
 * other filesystems `ro`; xfs shows nothing and answers EIO. None of them tells those who poll
 * mountinfo.
 */
#ifndef MOONWATCH_COLLECT_FILESYSTEM_WATCH_H
#define MOONWATCH_COLLECT_FILESYSTEM_WATCH_H

#include "base/host.h"
#include "base/scan.h"
#include "model/disk.h"
#include <stdbool.h>
#include <stdint.h>

/* The filesystem's own options in mountinfo, the same for every mount of it. */
struct filesystem_signs {
    bool read_only;
    bool emergency, shut_down;
    bool stops_at_error; /* errors=remount-ro, where it is not the filesystem's default */
};

struct filesystem_signs filesystem_signs_read(struct scan options);

struct filesystem_identity {
    const char *target; /* as the host calls it */
    const char *type;
    uint64_t device; /* major << 32 | minor */
};

/* All zero is one that was never seen. */
struct filesystem_watch {
    bool begun, was_written;
    bool turned, turned_by_kernel; /* to read-only, from being written to */
    uint64_t turned_ns;
    char name[32]; /* below /sys/fs/ext4; "" where there is no count of errors */
    bool errors_known;
    uint64_t first_errors, errors;
    bool refuses, answered_read_only;
};

/* What the kernel answers for the filesystem: a negative errno or 0 and the flags of statvfs(3).
 * True when it is another answer than before, so that the options have to be read again. */
bool filesystem_watch_look(struct filesystem_watch *watch, const struct host *host,
                           const struct filesystem_identity *identity, int err,
                           unsigned long flags);
/* Sets `read_only`, `fault` and `errors` of the row. */
void filesystem_watch_judge(struct filesystem_watch *watch, const struct host *host,
                            const struct filesystem_identity *identity,
                            const struct filesystem_signs *signs, uint64_t now_ns,
                            struct filesystem *row);

#endif
