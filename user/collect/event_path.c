#include "collect/event_path.h"
#include "base/fitted_name.h"
#include "base/hash.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

uint64_t event_path(char out[CGROUP_PATH_BYTES], struct cgroup_paths *paths, uint64_t id,
                    uint64_t now_ns)
{
    const char *path = cgroup_paths_find(paths, id, now_ns).path;

    out[0] = '\0';
    if (!path)
        return strong_bytes(STRONG_START, &id, sizeof(id));
    fitted_name(path, out, CGROUP_PATH_BYTES);
    return strong_string(STRONG_START, path);
}

uint64_t event_exit_path(char out[CGROUP_PATH_BYTES], struct cgroup_paths *paths,
                         const struct record_exit *record, uint64_t now_ns)
{
    uint64_t hash = event_path(out, paths, record->cgroup_id, now_ns);
    size_t len = strnlen(record->cgroup_name, CGROUP_NAME_BYTES);
    char path[PATH_MAX + CGROUP_NAME_BYTES + 2];
    const char *above;

    if (out[0] || len == 0)
        return hash;
    above = cgroup_paths_find(paths, record->cgroup_parent_id, now_ns).path;
    if (!above || len >= CGROUP_NAME_BYTES - 1)
        return strong_bytes(STRONG_START, record->cgroup_name, len);
    snprintf(path, sizeof(path), "%s/%.*s", above[1] ? above : "", (int)len, record->cgroup_name);
    fitted_name(path, out, CGROUP_PATH_BYTES);
    return strong_string(STRONG_START, path);
}
