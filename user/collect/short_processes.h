/* CPU time of processes that no task snapshot saw, by name and cgroup, from bpf/process. */
#ifndef MOONWATCH_COLLECT_SHORT_PROCESSES_H
#define MOONWATCH_COLLECT_SHORT_PROCESSES_H

#include "collect/collector.h"

struct short_row;

struct short_processes {
    struct probe *probe;
    struct cgroup_paths *cgroups; /* borrowed */
    struct short_row *rows;       /* as they stood at began_ns, by key */
    size_t count;
    uint64_t began_ns; /* 0: never */
};

void short_processes_open(struct short_processes *s, const struct collector_env *env);
void short_processes_close(struct short_processes *s);

/* Before a task snapshot is taken: what begins from now on may be missed by it. */
void short_processes_mark(const struct short_processes *s, uint64_t now_ns);
/* After it. Leaves the rows as they are when the last were taken less than
 * TASK_TABLE_INTERVAL_MIN_NS ago. `cpus` bounds what they can have taken. */
void short_processes_sample(struct short_processes *s, uint64_t now_ns, unsigned cpus,
                            struct process_snapshot *ret);

#endif
