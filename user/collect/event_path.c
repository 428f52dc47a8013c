#include "collect/event_path.h"
#include "base/hash.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* "~" and 16 digits. */
#define HASH_BYTES 17

uint64_t event_path(char out[CGROUP_PATH_BYTES], struct cgroup_paths *paths, uint64_t id,
                    uint64_t now_ns)
{
    const char *path = cgroup_paths_find(paths, id, now_ns).path;
    size_t begin = CGROUP_PATH_BYTES - 2 - HASH_BYTES;
    uint64_t hash;

    out[0] = '\0';
    if (!path)
        return fnv_bytes(FNV_START, &id, sizeof(id));
    hash = fnv_string(FNV_START, path);
    if (strlen(path) + 2 <= CGROUP_PATH_BYTES)
        snprintf(out, CGROUP_PATH_BYTES, "/%s", path);
    else
        snprintf(out, CGROUP_PATH_BYTES, "/%.*s~%016llx", (int)utf8_valid_prefix(path, begin), path,
                 (unsigned long long)hash);
    return hash;
}

uint64_t event_exit_path(char out[CGROUP_PATH_BYTES], struct cgroup_paths *paths,
                         const struct record_exit *record, uint64_t now_ns)
{
    uint64_t hash = event_path(out, paths, record->cgroup_id, now_ns);

    if (out[0] || !record->cgroup_name[0])
        return hash;
    snprintf(out, CGROUP_PATH_BYTES, "%.*s", CGROUP_NAME_BYTES, record->cgroup_name);
    return fnv_string(FNV_START, out);
}
