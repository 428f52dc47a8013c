/* One fixed-width record per thread from the iterator `tasks`. Sum the rows of one tgid for a
 * process: figures that belong to the process as a whole are in one row only, as said below.
 */
#ifndef MOONWATCH_TASK_H
#define MOONWATCH_TASK_H

#include "abi/record_head.h"

/* What this kernel can tell; the fields of an absent bit are 0 and mean nothing. */
enum task_known {
    TASK_KNOWS_RUN_DELAY = 1 << 0,
    TASK_KNOWS_IO = 1 << 1,
};

struct task_row {
    __u32 pid;
    __u32 tgid;
    __u32 ppid;
    __u32 state;            /* task_struct.__state */
    __u64 cgroup_id;        /* cgroup v2 */
    __u64 memory_cgroup_id; /* of the memory controller's hierarchy, v1 or v2; 0: no controller */
    __u64 start_boot_ns;    /* CLOCK_BOOTTIME */
    __u64 on_cpu_ns;        /* leader: those of the process's ended threads included */
    __u64 children_cpu_ns;  /* leader: of children waited for, with theirs */
    __u64 switches;         /* times it left the CPU */
    __u64 run_delay_ns;     /* time runnable but waiting */
    __u64 blocked_ns;       /* uninterruptible sleep since the agent started */
    __u64 rss_anon_bytes;   /* leader only; once it has ended each thread's row repeats them */
    __u64 rss_file_bytes;
    __u64 rss_shmem_bytes;
    __u64 swap_bytes;
    __u64 read_bytes; /* storage I/O the task caused; leader: ended threads' included */
    __u64 write_bytes;
    __u32 priority_class;
    __s32 oom_score_adj;
    __u32 known; /* enum task_known */
    __u32 pad;
    char comm[COMM_BYTES];
};

#endif
