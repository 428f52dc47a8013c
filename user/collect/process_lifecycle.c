#include "collect/process_lifecycle.h"
#include "base/array.h"
#include "probe/map.h"
#include <stdlib.h>

#define MAP "process_cgrp"

static void add_stats(struct process_stats *to, const struct process_stats *from)
{
    to->forks += from->forks;
    to->execs += from->execs;
    to->exits += from->exits;
    to->exits_abnormal += from->exits_abnormal;
    to->exits_by_signal += from->exits_by_signal;
}

void lifecycle_open(struct lifecycle *l, const struct collector_env *env)
{
    l->probe = env->probe;
    l->cgroups = env->cgroups;
}

void lifecycle_close(struct lifecycle *l)
{
    free(l->rows);
}

static struct cgroup_lifecycle *add_row(struct lifecycle *l)
{
    if (!ARRAY_GROW(l->rows, l->capacity, l->count + 1))
        return NULL;
    return &l->rows[l->count++];
}

struct sum {
    struct lifecycle *lifecycle;
    struct process_stats host;
};

static void on_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct sum *sum = ctx;
    struct cgroup_lifecycle *row = add_row(sum->lifecycle);
    struct process_stats stats = {0};

    for (unsigned cpu = 0; cpu < cpus; cpu++)
        add_stats(&stats, (const void *)((const char *)values + cpu * stride));
    add_stats(&sum->host, &stats);
    if (row)
        *row = (struct cgroup_lifecycle){.cgroup_id = *(const uint64_t *)key, .stats = stats};
}

/* Adds the names and gathers what has none any more in one row of id 0, so that the map has room
 * for new cgroups and the totals still never fall. */
static void name_rows(struct lifecycle *l, uint64_t now_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->count; i++) {
        struct cgroup_lifecycle *row = &l->rows[i];
        struct cgroup_name name;

        if (row->cgroup_id == 0) {
            l->overflow = row->stats;
            continue;
        }
        name = cgroup_paths_find(l->cgroups, row->cgroup_id, now_ns);
        if (name.gone && !cgroup_paths_missing(l->cgroups) &&
            probe_map_delete(l->probe, MAP, &row->cgroup_id) == 0) {
            add_stats(&l->gone, &row->stats);
            continue;
        }
        row->path = name.path;
        l->rows[kept++] = *row;
    }
    l->count = kept;
}

static void add_rest(struct lifecycle *l)
{
    struct process_stats rest = l->gone;
    struct cgroup_lifecycle *row;

    add_stats(&rest, &l->overflow);
    if (rest.forks + rest.execs + rest.exits == 0)
        return;
    row = add_row(l);
    if (row)
        *row = (struct cgroup_lifecycle){.stats = rest};
}

static struct reading forks_rate(struct lifecycle *l, uint64_t now_ns, uint64_t forks)
{
    struct reading rate = reading_missing("needs two samples");

    if (l->before_ns && now_ns > l->before_ns && forks >= l->forks_before)
        rate = reading_of((double)(forks - l->forks_before) * (double)NS_PER_SECOND /
                          (double)(now_ns - l->before_ns));
    l->forks_before = forks;
    l->before_ns = now_ns;
    return rate;
}

void lifecycle_sample(struct lifecycle *l, uint64_t now_ns, struct process_snapshot *ret)
{
    struct sum sum = {.lifecycle = l, .host = l->gone};

    ret->lifecycle_missing = NULL;
    l->count = 0;
    if (!l->probe)
        ret->lifecycle_missing = "no BPF";
    else if (probe_concern_active(l->probe, CONCERN_PROCESS, &ret->lifecycle_missing) &&
             probe_map_for_each(l->probe, MAP, on_row, &sum) < 0)
        ret->lifecycle_missing = "the map " MAP " could not be read";
    if (!ret->lifecycle_missing) {
        name_rows(l, now_ns);
        add_rest(l);
    }
    ret->lifecycle = sum.host;
    ret->lifecycle_cgroup_count = l->count;
    ret->lifecycle_cgroups = l->rows;
    if (ret->lifecycle_missing) {
        ret->forks_per_second = reading_missing(ret->lifecycle_missing);
        l->before_ns = 0;
    } else {
        ret->forks_per_second = forks_rate(l, now_ns, sum.host.forks);
    }
}
