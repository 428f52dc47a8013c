/* Making a hash or trie hold exactly what it should, without emptying it first. */
#include "base/cleanup.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 64 /* at most, of the maps filled so */

static int compare_keys(const void *a, const void *b, void *key_size)
{
    return memcmp(a, b, *(const size_t *)key_size);
}

static bool is_listed(const char *entries, size_t count, size_t entry_size, size_t key_size,
                      const char *key)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(key, entries + middle * entry_size, key_size);

        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* All keys of the map, which only this process changes. The caller frees them. */
static int list_keys(const struct kernel_map *map, char **ret_keys, size_t *ret_count)
{
    CLEANUP_FREE char *keys = malloc(((size_t)map->max_entries + 1) * map->key_size);
    size_t count = 0;

    if (!keys)
        return -ENOMEM;
    while (count <= map->max_entries) {
        char *at = keys + count * map->key_size;

        if (bpf_map_get_next_key(map->fd, count ? at - map->key_size : NULL, at) < 0) {
            if (errno != ENOENT)
                return -errno;
            *ret_keys = keys;
            *ret_count = count;
            keys = NULL;
            return 0;
        }
        count++;
    }
    return -E2BIG;
}

int map_replace(struct probe *probe, const char *name, char *entries, size_t count,
                size_t entry_size, bool *ret_changed)
{
    const struct kernel_map *map = map_find(probe, name);
    CLEANUP_FREE char *present = NULL;
    char value[VALUE_BYTES];
    size_t present_count = 0, key_size;
    bool changed = false;
    int err;

    if (!map)
        return -ENOENT;
    if (map->value_size > sizeof(value))
        return -EMSGSIZE;
    key_size = map->key_size;
    err = list_keys(map, &present, &present_count);
    if (err < 0)
        return err;
    for (size_t i = 0; i < count; i++) {
        const char *entry = entries + i * entry_size;

        if (bpf_map_lookup_elem(map->fd, entry, value) == 0 &&
            memcmp(value, entry + key_size, map->value_size) == 0)
            continue;
        if (bpf_map_update_elem(map->fd, entry, entry + key_size, BPF_ANY) < 0)
            return -errno;
        changed = true;
    }
    qsort_r(entries, count, entry_size, compare_keys, &key_size);
    for (size_t i = 0; i < present_count; i++) {
        const char *key = present + i * key_size;

        if (is_listed(entries, count, entry_size, key_size, key))
            continue;
        if (bpf_map_delete_elem(map->fd, key) < 0 && errno != ENOENT)
            return -errno;
        changed = true;
    }
    *ret_changed = changed;
    return 0;
}
