/* Where something happened: a cgroup's path as events show it, and a hash that tells cgroups apart.
 */
#ifndef MOONWATCH_COLLECT_EVENT_PATH_H
#define MOONWATCH_COLLECT_EVENT_PATH_H

#include "base/cgroup_path.h"
#include "model/event.h"

/* "" when it is not known. Of a path that is too long the beginning and a hash of the whole, so
 * that two never look the same. Returns a hash of the whole; of the id when there is no path. */
uint64_t event_path(char out[CGROUP_PATH_BYTES], struct cgroup_paths *paths, uint64_t id,
                    uint64_t now_ns);

/* The same of a process that ended. A cgroup that is gone already has the path of the one above it
 * and the name in the record; where that is cut or nothing is known above, no path and the name's
 * hash. */
uint64_t event_exit_path(char out[CGROUP_PATH_BYTES], struct cgroup_paths *paths,
                         const struct record_exit *record, uint64_t now_ns);

#endif
