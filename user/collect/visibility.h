/* What of the host cannot be seen from where the agent runs: in a container, by default, its own
 * processes, cgroups, disks and network are all there is, and each figure of them looks right. */
#ifndef MOONWATCH_COLLECT_VISIBILITY_H
#define MOONWATCH_COLLECT_VISIBILITY_H

#include "base/host.h"
#include "model/disk.h"
#include <stdbool.h>
#include <stddef.h>

#define VISIBILITY_PARTS 4

struct visibility_part {
    const char *name; /* "processes", "cgroups", "disks", "network" */
    const char *why;  /* it is not seen, a sentence to act on; NULL: it is, as far as can be told */
};

/* Takes some system calls; what it finds does not change while the agent runs. */
void visibility_find(const struct host *host, struct visibility_part ret[VISIBILITY_PARTS]);
/* Single disks come and go: `parts` as found at the start with what `disk` says now. `ret` points
 * into both. */
void visibility_now(const struct visibility_part parts[VISIBILITY_PARTS],
                    const struct disk_snapshot *disk, struct visibility_part ret[VISIBILITY_PARTS]);

#endif
