/* Run queues of one tick, from bpf/runq. */
#ifndef MOONWATCH_MODEL_SCHEDULER_H
#define MOONWATCH_MODEL_SCHEDULER_H

#include "abi/runq.h"
#include "model/reading.h"
#include <stddef.h>
#include <stdint.h>

extern const char *const priority_class_names[]; /* "realtime" ..., NULL */
const char *priority_class_name(enum priority_class c);

/* In the id of a cgroup of the memory controller's own hierarchy (v1) without a cgroup v2 of the
 * same path: ids of two hierarchies may be equal. */
#define CGROUP_ID_MEMORY_ONLY (1ULL << 52)

struct cgroup_waits {
    uint64_t cgroup_id; /* cgroup v2 */
    const char *path;   /* NULL when it is gone */
    struct latency delay;
    struct latency blocked;
    struct latency reclaim; /* direct and memcg */
    const char *missing;    /* why delay and blocked are not known, else NULL; then of reclaim */
    const char *reclaim_missing;
};

struct slow_wait {
    uint64_t realtime_ns;
    uint64_t wait_ns;
    uint32_t pid, running_pid;
    enum priority_class priority_class;
    char comm[16], running_comm[16];
};

#define SLOW_WAITS_KEPT 16

struct scheduler_snapshot {
    const char *missing;                                 /* why there are no figures, else NULL */
    const char *method;                                  /* "rq-clock" or "task-storage" */
    struct runq_stats classes[PRIORITY_CLASS_COUNT];     /* since the probe was attached */
    struct runq_stats total;                             /* their sum */
    struct latency recent_classes[PRIORITY_CLASS_COUNT]; /* delay, last minute */
    struct latency recent;                               /* their sum */
    struct latency recent_foreground; /* of realtime to normal priority: what is kept waiting */
    /* What low and idle tasks took of all CPUs since the sample before. A task counts when it
     * leaves the CPU: single figures swing, and may be above 100. */
    struct reading background_cpu_percent;
    const char *blocked_missing, *reclaim_missing;
    struct latency blocked, recent_blocked; /* host-wide */
    struct latency reclaim[2];              /* host-wide, by enum reclaim_kind */
    size_t cgroup_count;
    const struct cgroup_waits *cgroups; /* bounded; the rest in one row with id 0 */
    double slow_waits_total;
    size_t slow_wait_count;
    struct slow_wait slow_waits[SLOW_WAITS_KEPT]; /* newest first */
};

#endif
