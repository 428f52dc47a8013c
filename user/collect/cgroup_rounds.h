/* Goes through all cgroups of a controller's hierarchy, round after round, some directories at each
 * tick. */
#ifndef MOONWATCH_COLLECT_CGROUP_ROUNDS_H
#define MOONWATCH_COLLECT_CGROUP_ROUNDS_H

#include "collect/cgroup_walk.h"
#include <stdint.h>

struct cgroup_rounds_plan {
    uint64_t every_ns; /* from one beginning to the next */
    size_t directories_per_tick;
    /* As cgroup_mount_find(), with -ENODEV said as `none`. */
    int (*find)(const struct host *host, struct cgroup_mount *ret);
    const char *none;
    void (*began)(void *ctx);
    cgroup_found_fn *found;
    void (*ended)(void *ctx);
};

/* Zeroed but for plan and host, which are borrowed. */
struct cgroup_rounds {
    const struct cgroup_rounds_plan *plan;
    const struct host *host;
    const char *missing;       /* why there is no hierarchy */
    struct cgroup_walk *walk;  /* NULL: none was found yet */
    struct cgroup_mount mount; /* once there is */
    bool under_way;
    uint64_t due_ns;
    char reason[96];
};

/* Looks for the hierarchy again as long as there is none: mounts may come late at boot. */
void cgroup_rounds_tick(struct cgroup_rounds *rounds, uint64_t now_ns, void *ctx);
void cgroup_rounds_close(struct cgroup_rounds *rounds);

#endif
