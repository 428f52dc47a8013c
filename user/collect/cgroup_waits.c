#include "collect/cgroup_waits.h"
#include "base/array.h"
#include "model/histogram.h"
#include "probe/map.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MAP "runq_cgroup"
#define BLOCKED_MAP "blocked_cgrp"
#define RECLAIM_MAP "reclaim_cgrp"
#define ROWS_FIRST 32

void cgroup_waits_open(struct cgroup_waits_table *t, const struct collector_env *env)
{
    t->probe = env->probe;
    t->cgroups = env->cgroups;
    t->memory_cgroups = env->memory_cgroups;
}

void cgroup_waits_close(struct cgroup_waits_table *t)
{
    free(t->rows);
    free(t->index);
    free(t->reclaim_rows);
}

static size_t place_of(const struct cgroup_waits_table *t, uint64_t id)
{
    /* Ids of one host differ mostly in their low bits. */
    size_t at = (size_t)(id * 0x9e3779b97f4a7c15ULL >> 32) & t->index_mask;

    while (t->index[at] && t->rows[t->index[at] - 1].cgroup_id != id)
        at = (at + 1) & t->index_mask;
    return at;
}

/* Room for twice as many rows, the index half full at most. */
static int grow(struct cgroup_waits_table *t)
{
    size_t capacity = t->capacity ? 2 * t->capacity : ROWS_FIRST;
    struct cgroup_waits *rows = realloc(t->rows, capacity * sizeof(*rows));
    uint32_t *index;

    if (!rows)
        return -ENOMEM;
    t->rows = rows;
    index = calloc(2 * capacity, sizeof(*index));
    if (!index)
        return -ENOMEM;
    free(t->index);
    t->index = index;
    t->index_mask = 2 * capacity - 1;
    t->capacity = capacity;
    for (size_t i = 0; i < t->count; i++)
        t->index[place_of(t, t->rows[i].cgroup_id)] = (uint32_t)i + 1;
    return 0;
}

/* The row of the cgroup, made when it is new; `rest` for id 0 and without memory. */
static struct cgroup_waits *row_of(struct cgroup_waits_table *t, uint64_t id)
{
    size_t at;

    if (id == 0 || (t->count == t->capacity && grow(t) < 0))
        return &t->rest;
    at = place_of(t, id);
    if (!t->index[at]) {
        t->rows[t->count] = (struct cgroup_waits){.cgroup_id = id};
        t->index[at] = (uint32_t)++t->count;
    }
    return &t->rows[t->index[at] - 1];
}

static void add_cpus(struct latency *ret, const void *values, unsigned cpus, size_t stride)
{
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        latency_add(ret, (const void *)((const char *)values + cpu * stride));
}

static void on_delay(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct cgroup_waits_table *t = ctx;

    add_cpus(&row_of(t, *(const uint64_t *)key)->delay, values, cpus, stride);
    t->values_read += cpus;
}

static void on_blocked(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct cgroup_waits_table *t = ctx;
    struct latency blocked = {0};

    add_cpus(&blocked, values, cpus, stride);
    latency_add(&row_of(t, *(const uint64_t *)key)->blocked, &blocked);
    latency_add(&t->blocked, &blocked);
    t->values_read += cpus;
}

static void on_reclaim(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct cgroup_waits_table *t = ctx;
    struct reclaim_row row = {.key = *(const struct reclaim_key *)key};

    if (row.key.kind >= RECLAIM_KIND_COUNT)
        return;
    add_cpus(&row.stalls, values, cpus, stride);
    latency_add(&t->reclaim[row.key.kind], &row.stalls);
    t->values_read += cpus;
    if (!ARRAY_GROW(t->reclaim_rows, t->reclaim_capacity, t->reclaim_count + 1)) {
        latency_add(&t->rest.reclaim, &row.stalls);
        return;
    }
    t->reclaim_rows[t->reclaim_count++] = row;
}

/* Takes the row of a cgroup that is gone out of the map; what it counted goes on in `to`. */
static bool take_out(struct cgroup_waits_table *t, const char *map, const void *key,
                     struct latency *from, struct latency *to)
{
    int err = probe_map_delete(t->probe, map, key);

    if (err < 0 && err != -ENOENT)
        return false;
    latency_add(to, from);
    *from = (struct latency){0};
    return true;
}

static void name_rows(struct cgroup_waits_table *t, uint64_t now_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++) {
        struct cgroup_waits *row = &t->rows[i];
        struct cgroup_name name = cgroup_paths_find(t->cgroups, row->cgroup_id, now_ns);

        row->path = name.path;
        if (name.gone && !cgroup_paths_missing(t->cgroups)) {
            bool delay_out = take_out(t, DELAY_MAP, &row->cgroup_id, &row->delay, &t->gone.delay);

            if (take_out(t, BLOCKED_MAP, &row->cgroup_id, &row->blocked, &t->gone.blocked) &&
                delay_out)
                continue;
        }
        if (kept++ != i)
            t->rows[kept - 1] = *row;
    }
    t->count = kept;
}

static struct cgroup_waits *row_of_path(struct cgroup_waits_table *t, const char *path)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].path && strcmp(t->rows[i].path, path) == 0)
            return &t->rows[i];
    return NULL;
}

/* Reclaim is counted by the cgroup of the memory controller. Where that is a hierarchy of its own
 * the two have different ids; what makes them one cgroup to a person is the path. */
static void name_reclaim(struct cgroup_waits_table *t, uint64_t now_ns)
{
    for (size_t i = 0; i < t->reclaim_count; i++) {
        struct reclaim_row *reclaim = &t->reclaim_rows[i];
        const struct reclaim_key *key = &reclaim->key;
        struct cgroup_name name = cgroup_paths_find(t->memory_cgroups, key->cgroup_id, now_ns);
        struct cgroup_waits *row = NULL;

        if (key->cgroup_id && name.gone && !cgroup_paths_missing(t->memory_cgroups)) {
            struct latency stalls = reclaim->stalls;

            if (take_out(t, RECLAIM_MAP, key, &reclaim->stalls, &t->gone.reclaim)) {
                latency_add(&t->gone_reclaim[key->kind], &stalls);
                continue;
            }
        }
        if (name.path)
            row = row_of_path(t, name.path);
        if (!row && name.path && (t->count < t->capacity || grow(t) == 0)) {
            row = &t->rows[t->count++];
            *row = (struct cgroup_waits){.cgroup_id = CGROUP_ID_MEMORY_ONLY | key->cgroup_id,
                                         .path = name.path};
        }
        latency_add(row ? &row->reclaim : &t->rest.reclaim, &reclaim->stalls);
    }
}

static bool is_empty(const struct cgroup_waits *row)
{
    return row->delay.count + row->blocked.count + row->reclaim.count == 0;
}

static void add_rest(struct cgroup_waits_table *t)
{
    struct cgroup_waits rest = t->rest;

    latency_add(&rest.delay, &t->gone.delay);
    latency_add(&rest.blocked, &t->gone.blocked);
    latency_add(&rest.reclaim, &t->gone.reclaim);
    if (is_empty(&rest) || (t->count == t->capacity && grow(t) < 0))
        return;
    t->rows[t->count++] = rest;
}

static void say_missing(struct cgroup_waits_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        t->rows[i].missing = t->missing;
        t->rows[i].reclaim_missing = t->reclaim_missing;
    }
}

void cgroup_waits_sample(struct cgroup_waits_table *t, uint64_t now_ns)
{
    t->count = 0;
    t->reclaim_count = 0;
    t->values_read = 0;
    t->rest = (struct cgroup_waits){0};
    if (t->index)
        memset(t->index, 0, (t->index_mask + 1) * sizeof(*t->index));
    t->blocked = t->gone.blocked;
    memcpy(t->reclaim, t->gone_reclaim, sizeof(t->reclaim));
    if (!t->missing && (probe_map_for_each(t->probe, DELAY_MAP, on_delay, t) < 0 ||
                        probe_map_for_each(t->probe, BLOCKED_MAP, on_blocked, t) < 0))
        t->missing = "the scheduler's maps could not be read";
    if (!t->reclaim_missing && probe_map_for_each(t->probe, RECLAIM_MAP, on_reclaim, t) < 0)
        t->reclaim_missing = "the map " RECLAIM_MAP " could not be read";
    if (!t->missing)
        name_rows(t, now_ns);
    else
        t->count = 0;
    if (!t->reclaim_missing)
        name_reclaim(t, now_ns);
    add_rest(t);
    say_missing(t);
}
