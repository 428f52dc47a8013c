/* Waits per cgroup, from bpf/runq and bpf/reclaim: named, and gathered in one row where the cgroup
 * is gone, so that the maps have room for new cgroups and the totals still never fall.
 */
#ifndef MOONWATCH_COLLECT_CGROUP_WAITS_H
#define MOONWATCH_COLLECT_CGROUP_WAITS_H

#include "abi/reclaim.h"
#include "collect/collector.h"

struct reclaim_row {
    struct reclaim_key key;
    struct latency stalls;
};

struct cgroup_waits_table {
    struct probe *probe; /* borrowed, as the next two */
    struct cgroup_paths *cgroups, *memory_cgroups;
    struct cgroup_waits *rows; /* the rest, with id 0, comes last */
    size_t count, capacity;
    uint32_t *index; /* open addressing by id: position in `rows` + 1 */
    size_t index_mask;
    struct reclaim_row *reclaim_rows;
    size_t reclaim_count, reclaim_capacity;
    size_t values_read;                                  /* rows times CPUs: what a sample costs */
    struct latency blocked, reclaim[RECLAIM_KIND_COUNT]; /* of the host */
    struct cgroup_waits rest; /* cgroups the maps had no room for, and those without a name */
    struct cgroup_waits gone; /* whose rows were taken from the maps */
    struct latency gone_reclaim[RECLAIM_KIND_COUNT];
    const char *missing, *reclaim_missing; /* why there is nothing of it, else NULL */
};

void cgroup_waits_open(struct cgroup_waits_table *table, const struct collector_env *env);
void cgroup_waits_close(struct cgroup_waits_table *table);
/* `missing` and `reclaim_missing` are set before: what is missing is not read. */
void cgroup_waits_sample(struct cgroup_waits_table *table, uint64_t now_ns);

#endif
