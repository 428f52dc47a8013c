/* All cgroups of a controller's hierarchy, a few directories per tick: a host may have thousands.
 */
#ifndef MOONWATCH_COLLECT_CGROUP_WALK_H
#define MOONWATCH_COLLECT_CGROUP_WALK_H

#include "base/host.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The hierarchy that has a controller. */
struct cgroup_mount {
    unsigned version; /* 1 or 2 */
    char path[PATH_MAX];
};

/* 0, -ENODEV when no mounted hierarchy has the controller, or the error of reading the mounts. */
int cgroup_mount_find(const struct host *host, const char *controller, struct cgroup_mount *ret);

struct cgroup_walk;

/* `path` is as /proc/PID/cgroup has it; `dir` is open as long as the call lasts. */
typedef void cgroup_found_fn(void *ctx, const char *path, int dir);

int cgroup_walk_create(struct cgroup_walk **ret, const struct cgroup_mount *mount);
void cgroup_walk_destroy(struct cgroup_walk *walk);
void cgroup_walk_start(struct cgroup_walk *walk);
/* Visits at most `directories`; true when the walk has reached its end. */
bool cgroup_walk_step(struct cgroup_walk *walk, size_t directories, cgroup_found_fn *fn, void *ctx);

#endif
