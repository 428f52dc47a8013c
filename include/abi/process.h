/* Maps of bpf/process. Monotonic.
 *   process_cgrp   per-CPU hash, key __u64 cgroup id (v2)   -> struct process_stats
 *   process_short  per-CPU hash, key struct short_key       -> struct short_stats
 *   process_seen   array of one __u64: when the last task snapshot began, CLOCK_MONOTONIC
 */
#ifndef MOONWATCH_PROCESS_H
#define MOONWATCH_PROCESS_H

#include "abi/record_head.h"

struct process_stats {
    __u64 forks; /* processes, not threads */
    __u64 execs;
    __u64 exits;
    __u64 exits_abnormal; /* by a signal or with a non-zero status */
    __u64 exits_by_signal;
};

/* All zeros: the row `other`. */
struct short_key {
    __u64 cgroup_id; /* v2 */
    char comm[COMM_BYTES];
};

/* Processes that began after the last task snapshot and ended before the next: no snapshot saw
 * them. Whether anybody waited for them makes no difference. */
struct short_stats {
    __u64 processes;
    __u64 cpu_ns; /* of all their threads */
};

/* "cri-containerd-", 64 digits and ".scope". */
#define CGROUP_NAME_BYTES 96

/* A process ended by a signal or with a non-zero status. */
struct record_exit {
    struct record_head head;
    __u64 cgroup_id;
    __u64 age_ns;
    __u32 pid;
    __u32 ppid;
    __u32 signal; /* 0 when it exited by itself */
    __u32 status; /* exit status 0..255 when signal is 0 */
    __u32 facts;  /* enum exit_fact */
    __u32 pad;
    char comm[COMM_BYTES];
    char parent_comm[COMM_BYTES];
    /* A service's cgroup is gone when the agent asks, the slice it was in is not. */
    __u64 cgroup_parent_id;              /* 0: it was the root */
    char cgroup_name[CGROUP_NAME_BYTES]; /* the last part of its path, cut, with a NUL */
};

#endif
