/* Maps of bpf/runq. Per-CPU, monotonic.
 *   runq_class   array, key enum priority_class     -> struct runq_stats; the host is their sum
 *   runq_cgroup  hash,  key __u64 cgroup id (v2)     -> struct latency (run-queue delay)
 *   blocked_cgrp hash,  key __u64 cgroup id (v2)     -> struct latency (uninterruptible sleep)
 * Key 0 of the hashes is the `other` row: cgroups that found no room.
 *
 * A delay is the wait on the CPU where the task then ran; a task moved between CPUs while it waited
 * starts again, as the kernel restamps it.
 */
#ifndef MOONWATCH_RUNQ_H
#define MOONWATCH_RUNQ_H

#include "abi/record_head.h"
#include "abi/slots.h"

/* realtime: SCHED_FIFO/RR/DEADLINE; idle: SCHED_IDLE; the rest by nice value. */
enum priority_class {
    PRIORITY_REALTIME,
    PRIORITY_HIGH, /* nice < 0 */
    PRIORITY_NORMAL,
    PRIORITY_LOW, /* nice > 0 */
    PRIORITY_IDLE,
    PRIORITY_CLASS_COUNT,
};

/* The counters come first: with them, the histogram's head and its lowest slots share a line. */
struct runq_stats {
    __u64 on_cpu_ns;            /* of the task switched out */
    __u64 switches_voluntary;   /* it slept or ended */
    __u64 switches_involuntary; /* it was preempted or yielded */
    struct latency delay;       /* enqueue to running, of the task switched in */
};

/* A task waited on a run queue for longer than the threshold; `running_*` had the CPU meanwhile. */
struct record_slow_wait {
    struct record_head head;
    __u64 wait_ns;
    __u64 cgroup_id;
    __u32 pid;
    __u32 tgid;
    __u32 running_pid;
    __u32 running_tgid;
    __u32 priority_class; /* enum priority_class of the waiter */
    __u32 pad;
    char comm[COMM_BYTES];
    char running_comm[COMM_BYTES];
};

#endif
