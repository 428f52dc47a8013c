/* Reading per-CPU maps in few system calls. */
#include "probe/map.h"
#include "base/cleanup.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for the values of one batch. Small enough to stay in the cache and out of the agent's
 * memory budget, large enough for a few dozen rows of the largest value on a few CPUs. */
#define BATCH_BYTES (64 * 1024)
#define BATCH_ROWS_MIN 8

/* The kernel's own ENOTSUPP, which no header exports: a map type without batched lookup. */
#define KERNEL_ENOTSUPP 524

struct kernel_map *map_find(struct probe *probe, const char *name)
{
    for (size_t i = 0; i < probe->map_count; i++) {
        if (strcmp(probe->maps[i].name, name) == 0)
            return &probe->maps[i];
    }
    return NULL;
}

static uint64_t read_memlock(int fd)
{
    unsigned long long bytes = 0;
    char path[64], line[128];
    CLEANUP_FCLOSE FILE *info = NULL;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    info = fopen(path, "re");
    while (info && fgets(line, sizeof(line), info)) {
        if (sscanf(line, "memlock: %llu", &bytes) == 1)
            break;
    }
    return bytes;
}

void maps_measure(struct probe *probe)
{
    for (size_t i = 0; i < probe->map_count; i++) {
        struct kernel_map *map = &probe->maps[i];

        map->bytes = read_memlock(map->fd);
        /* Before Linux 6.4 (commit 90a5527d7686, map_mem_usage) the kernel multiplies entries by
         * key and value size, which a ring buffer does not have: its entries are its bytes. */
        if (map->bytes == 0 && map->type == BPF_MAP_TYPE_RINGBUF)
            map->bytes = map->max_entries;
    }
}

static bool is_per_cpu(uint32_t type)
{
    return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
           type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

struct row_shape {
    unsigned cpus;
    size_t stride;
    size_t value_bytes; /* cpus x stride */
};

static struct row_shape shape_of(const struct probe *probe, const struct kernel_map *map)
{
    struct row_shape shape = {.cpus = 1, .stride = map->value_size};

    /* The kernel rounds the value of each CPU up to eight bytes. */
    if (is_per_cpu(map->type)) {
        shape.cpus = probe->possible_cpus;
        shape.stride = (map->value_size + 7u) & ~7u;
    }
    shape.value_bytes = shape.cpus * shape.stride;
    return shape;
}

static int reserve(char **buffer, size_t *size, size_t wanted)
{
    char *grown;

    if (*size >= wanted)
        return 0;
    grown = realloc(*buffer, wanted);
    if (!grown)
        return -ENOMEM;
    *buffer = grown;
    *size = wanted;
    return 0;
}

static int reserve_rows(struct probe *probe, const struct kernel_map *map, size_t value_bytes,
                        uint32_t rows)
{
    int err = reserve(&probe->row_keys, &probe->row_keys_size, (size_t)rows * map->key_size);

    return err < 0 ? err : reserve(&probe->row_values, &probe->row_values_size, rows * value_bytes);
}

static bool lacks_batch(int err)
{
    return err == -KERNEL_ENOTSUPP || err == -EINVAL || err == -EOPNOTSUPP;
}

/* -EOPNOTSUPP when this kernel cannot read this map in batches. */
static int for_each_batched(struct probe *probe, struct kernel_map *map, probe_map_row_fn *fn,
                            void *ctx)
{
    struct row_shape shape = shape_of(probe, map);
    uint32_t rows = (uint32_t)(BATCH_BYTES / shape.value_bytes);
    char position[64], next[64]; /* a hash's is 4 bytes, an array's its key */
    bool started = false;
    int total = 0;

    if (map->key_size > sizeof(position))
        return -EOPNOTSUPP;
    if (rows < BATCH_ROWS_MIN)
        rows = BATCH_ROWS_MIN;
    /* One more than there can be: the kernel then reports the end with the last rows. */
    if (rows > map->max_entries)
        rows = map->max_entries + 1;
    for (;;) {
        uint32_t count = rows;
        int err = reserve_rows(probe, map, shape.value_bytes, rows);

        if (err < 0)
            return err;
        err = bpf_map_lookup_batch(map->fd, started ? position : NULL, next, probe->row_keys,
                                   probe->row_values, &count, NULL) < 0
                  ? -errno
                  : 0;
        /* A hash bucket holds more rows than there is room for. */
        if (err == -ENOSPC && rows < map->max_entries) {
            rows *= 2;
            continue;
        }
        if (err < 0 && err != -ENOENT) {
            return lacks_batch(err) && !started ? -EOPNOTSUPP : err;
        }
        for (uint32_t i = 0; i < count; i++)
            fn(ctx, probe->row_keys + (size_t)i * map->key_size,
               probe->row_values + i * shape.value_bytes, shape.cpus, shape.stride);
        total += (int)count;
        if (err == -ENOENT)
            return total;
        memcpy(position, next, sizeof(position));
        started = true;
    }
}

/* One row at a time. A row deleted meanwhile restarts the kernel's walk, so the number of steps is
 * bounded by what the map can hold. */
static int for_each_single(struct probe *probe, const struct kernel_map *map, probe_map_row_fn *fn,
                           void *ctx)
{
    struct row_shape shape = shape_of(probe, map);
    char *current, *next;
    int total = 0;
    int err = reserve_rows(probe, map, shape.value_bytes, 2);

    if (err < 0)
        return err;
    current = NULL;
    next = probe->row_keys;
    for (uint32_t step = 0; step < map->max_entries; step++) {
        if (bpf_map_get_next_key(map->fd, current, next) < 0)
            return errno == ENOENT ? total : -errno;
        if (bpf_map_lookup_elem(map->fd, next, probe->row_values) == 0) {
            fn(ctx, next, probe->row_values, shape.cpus, shape.stride);
            total++;
        }
        current = next;
        next = probe->row_keys + (next == probe->row_keys ? map->key_size : 0);
    }
    return total;
}

int probe_map_for_each(struct probe *probe, const char *name, probe_map_row_fn *fn, void *ctx)
{
    struct kernel_map *map = map_find(probe, name);
    int rows;

    if (!map)
        return -ENOENT;
    if (!map->no_batch) {
        rows = for_each_batched(probe, map, fn, ctx);
        if (rows != -EOPNOTSUPP)
            return rows;
        map->no_batch = true;
    }
    return for_each_single(probe, map, fn, ctx);
}

int map_read_rows(struct probe *probe, struct kernel_map *map, uint32_t first, uint32_t count,
                  probe_map_row_fn *fn, void *ctx)
{
    struct row_shape shape = shape_of(probe, map);
    uint32_t rows = (uint32_t)(BATCH_BYTES / shape.value_bytes) + 1;
    int err = reserve_rows(probe, map, shape.value_bytes, rows < count ? rows : count);

    for (uint32_t done = 0; err == 0 && done < count;) {
        uint32_t before = first + done - 1, next, n = count - done < rows ? count - done : rows;

        if (!map->no_batch) {
            /* The walk begins behind the row it is given. ENOENT: the last row is among them. */
            err = bpf_map_lookup_batch(map->fd, first + done ? &before : NULL, &next,
                                       probe->row_keys, probe->row_values, &n, NULL) < 0
                      ? -errno
                      : 0;
            err = err == -ENOENT && n > 0 ? 0 : err;
            map->no_batch = lacks_batch(err);
            if (err == 0 && n == 0)
                err = -ENODATA;
        }
        if (map->no_batch) {
            n = 1;
            before = first + done;
            memcpy(probe->row_keys, &before, sizeof(before));
            err = bpf_map_lookup_elem(map->fd, &before, probe->row_values) < 0 ? -errno : 0;
        }
        for (uint32_t i = 0; err == 0 && i < n; i++)
            fn(ctx, probe->row_keys + (size_t)i * map->key_size,
               probe->row_values + i * shape.value_bytes, shape.cpus, shape.stride);
        done += n;
    }
    return err;
}

int probe_map_delete(struct probe *probe, const char *name, const void *key)
{
    const struct kernel_map *map = map_find(probe, name);

    if (!map)
        return -ENOENT;
    return bpf_map_delete_elem(map->fd, key) < 0 ? -errno : 0;
}

int probe_map_set_u64(struct probe *probe, const char *name, uint64_t value)
{
    const struct kernel_map *map = map_find(probe, name);
    const uint32_t first = 0;

    if (!map)
        return -ENOENT;
    return bpf_map_update_elem(map->fd, &first, &value, BPF_ANY) < 0 ? -errno : 0;
}

int probe_map_take(struct probe *probe, const char *name, const void *key, probe_map_row_fn *fn,
                   void *ctx)
{
    const struct kernel_map *map = map_find(probe, name);
    struct row_shape shape;
    int err;

    if (!map)
        return -ENOENT;
    shape = shape_of(probe, map);
    err = reserve_rows(probe, map, shape.value_bytes, 1);
    if (err < 0)
        return err;
    if (bpf_map_lookup_and_delete_elem(map->fd, key, probe->row_values) < 0)
        return -errno;
    fn(ctx, key, probe->row_values, shape.cpus, shape.stride);
    return 0;
}
