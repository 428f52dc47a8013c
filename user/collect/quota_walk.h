/* Finding the cgroups that have a CPU quota, a few directories per tick: a host may have thousands
 * of cgroups and a quota is rare. */
#ifndef MOONWATCH_COLLECT_QUOTA_WALK_H
#define MOONWATCH_COLLECT_QUOTA_WALK_H

#include "base/host.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The hierarchy that has the cpu controller. */
struct quota_mount {
    unsigned version; /* 1 or 2 */
    char path[PATH_MAX];
};

/* 0, -ENODEV when no mounted hierarchy has the controller, or the error of reading the mounts. */
int quota_mount_find(const struct host *host, struct quota_mount *ret);

struct quota_walk;

/* `path` is relative to the mount, "" for the root. */
typedef void quota_found_fn(void *ctx, const char *path);

int quota_walk_create(struct quota_walk **ret, const struct quota_mount *mount);
void quota_walk_destroy(struct quota_walk *walk);
void quota_walk_start(struct quota_walk *walk);
/* Visits at most `directories`; true when the walk has reached its end. */
bool quota_walk_step(struct quota_walk *walk, size_t directories, quota_found_fn *fn, void *ctx);

#endif
