/* Maps of bpf/reclaim: reclaim_cgrp, per-CPU hash, struct reclaim_key -> struct latency. Monotonic.
 * Cgroup 0 of each kind is the `other` row: cgroups that found no room.
 */
#ifndef MOONWATCH_RECLAIM_H
#define MOONWATCH_RECLAIM_H

#include "abi/record_head.h"
#include "abi/slots.h"

enum reclaim_kind {
    RECLAIM_DIRECT, /* the host ran low: the allocating task reclaims for itself */
    RECLAIM_MEMCG,  /* a memory cgroup reached its limit, or was told to shrink */
    RECLAIM_KIND_COUNT,
};

struct reclaim_key {
    __u64 cgroup_id; /* memory cgroup of the stalled task */
    __u32 kind;      /* enum reclaim_kind */
    __u32 pad;
};

/* A task stood still in reclaim for longer than the threshold. */
struct record_stall {
    struct record_head head;
    __u64 stall_ns;
    __u64 cgroup_id;
    __u32 pid;
    __u32 tgid;
    __u32 kind; /* enum reclaim_kind */
    __u32 pad;
    char comm[COMM_BYTES];
};

#endif
