/* Records of bpf/oom. */
#ifndef MOONWATCH_OOM_H
#define MOONWATCH_OOM_H

#include "abi/record_head.h"

/* The OOM killer chose a victim. Sizes in bytes. */
struct record_oom {
    struct record_head head;
    __u64 cgroup_id;       /* victim's memory cgroup */
    __u64 limit_cgroup_id; /* the memory cgroup at its limit; 0: none, the host ran out */
    __u64 limit_bytes;     /* of that cgroup; 0 when the host ran out */
    __u64 total_vm_bytes;
    __u64 anon_rss_bytes;
    __u64 file_rss_bytes;
    __u32 pid;
    __u32 uid;
    __s32 oom_score_adj;
    __u32 pad;
    char comm[COMM_BYTES];
};

#endif
