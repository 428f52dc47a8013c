/* Names of cgroups: from the id that the kernel side counts by to the path in its hierarchy, as
 * /proc/PID/cgroup has it: "/system.slice/x.service", and "/" for the root.
 *
 * A cgroup's id is the file handle of its directory, so a look-up is one open_by_handle_at(2), not
 * a walk. Found paths are kept and looked up again every CGROUP_PATH_FRESH_NS. The path of a cgroup
 * that is gone stays known for CGROUP_PATH_GONE_NS after that: facts about it come after its end.
 */
#ifndef MOONWATCH_BASE_CGROUP_PATH_H
#define MOONWATCH_BASE_CGROUP_PATH_H

#include "base/host.h"
#include <stdbool.h>
#include <stdint.h>

#define CGROUP_PATH_FRESH_NS 10000000000ULL
#define CGROUP_PATH_GONE_NS 60000000000ULL

enum cgroup_hierarchy {
    CGROUP_UNIFIED, /* cgroup v2 */
    CGROUP_MEMORY,  /* what the memory controller is on: its v1 hierarchy, else cgroup v2 */
};

struct cgroup_paths;

/* Opens the hierarchy's mount, or tries again at later look-ups: cgroups may be mounted late. */
int cgroup_paths_create(struct cgroup_paths **ret, const struct host *host,
                        enum cgroup_hierarchy hierarchy);
void cgroup_paths_destroy(struct cgroup_paths *paths);

struct cgroup_name {
    const char *path; /* NULL when it was never found; see below */
    bool gone;        /* no such cgroup any more (or never seen) */
};

/* `path` stays valid until a look-up of this id finds another path or forgets it; at least until
 * CGROUP_PATH_FRESH_NS have passed. */
struct cgroup_name cgroup_paths_find(struct cgroup_paths *paths, uint64_t id, uint64_t now_ns);

/* Where the hierarchy is mounted; NULL when it is not. */
const char *cgroup_paths_mount(struct cgroup_paths *paths, uint64_t now_ns);

/* Why no path can be found at all, else NULL. */
const char *cgroup_paths_missing(const struct cgroup_paths *paths);

#endif
