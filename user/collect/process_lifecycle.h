/* Forks, execs and exits per cgroup, from bpf/process. */
#ifndef MOONWATCH_COLLECT_PROCESS_LIFECYCLE_H
#define MOONWATCH_COLLECT_PROCESS_LIFECYCLE_H

#include "collect/collector.h"

struct lifecycle {
    struct probe *probe;
    struct cgroup_paths *cgroups; /* borrowed */
    struct cgroup_lifecycle *rows;
    size_t count, capacity;
    struct process_stats gone;     /* of cgroups whose rows were taken from the map */
    struct process_stats overflow; /* of the map's own row 0 */
    uint64_t forks_before, before_ns;
};

void lifecycle_open(struct lifecycle *lifecycle, const struct collector_env *env);
void lifecycle_close(struct lifecycle *lifecycle);
void lifecycle_sample(struct lifecycle *lifecycle, uint64_t now_ns, struct process_snapshot *ret);

#endif
