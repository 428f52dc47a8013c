/* Maps of bpf/process: process_cgrp, per-CPU hash, key __u64 cgroup id (v2). Monotonic. */
#ifndef MOONWATCH_PROCESS_H
#define MOONWATCH_PROCESS_H

#include <linux/types.h>

struct process_stats {
    __u64 forks; /* processes, not threads */
    __u64 execs;
    __u64 exits;
    __u64 exits_abnormal; /* by a signal or with a non-zero status */
    __u64 exits_by_signal;
};

#endif
