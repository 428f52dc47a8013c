/* Records in the ring buffer `events`: facts worth one record each, fixed width, little padding.
 * Every record begins with struct record_head. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef MOONWATCH_RECORD_H
#define MOONWATCH_RECORD_H

#include <linux/types.h>

#define COMM_BYTES 16
/* "cri-containerd-", 64 digits and ".scope". */
#define CGROUP_NAME_BYTES 96

enum record_type {
    RECORD_SLOW_WAIT,
    RECORD_EXIT,
    RECORD_OOM,
    RECORD_STALL,
    RECORD_CONNECT_FAILED,
    RECORD_BREAKER,
    RECORD_CALL_FAILED,
    RECORD_TYPE_COUNT,
};

struct record_head {
    __u32 type; /* enum record_type */
    __u32 cpu;
    __u64 time_ns;
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

/* An outgoing TCP connect that failed. Addresses in network order; IPv4 in the first four bytes. */
struct record_connect_failed {
    struct record_head head;
    __u64 cgroup_id;
    __u64 elapsed_ns;  /* since the first SYN; 0 when none was sent */
    __u32 pid;         /* process that called connect(); 0: it did so before the agent started */
    __u32 reason;      /* enum connect_failure */
    __u16 family;      /* AF_INET or AF_INET6; AF_INET for IPv4-mapped addresses */
    __u16 remote_port; /* host order */
    __u32 error;       /* errno, positive; 0 when the caller gave up */
    __u8 remote_addr[16];
    char comm[COMM_BYTES];
};

/* The call that a breaker's record tells of. */
struct record_call {
    __u32 upstream;    /* index */
    __u32 address;     /* which of its addresses */
    __u32 pid;         /* the process that called connect(); 0: unknown */
    __u16 remote_port; /* host order */
    __u16 pad;
    __u8 remote_addr[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
    char comm[COMM_BYTES];
};

/* The kernel opened a breaker, or enough probes succeeded for the agent to close it (then `from`
 * and `to` are both HALF_OPEN). Urgent. */
struct record_breaker {
    struct record_head head;
    struct record_call call;
    __u64 epoch; /* of the state it is in now */
    __u64 consecutive_failures;
    __u32 from; /* enum breaker_state */
    __u32 to;
    __u32 reason; /* enum call_failure, or CALL_PROBES_SUCCEEDED */
    __u32 pad;
};

/* A call of a client failed while its breaker was closed or half open. Urgent. */
struct record_call_failed {
    struct record_head head;
    struct record_call call;
    __u64 epoch;
    __u64 age_ns;   /* of the call, or of the connect; 0: unknown */
    __u32 reason;   /* enum call_failure */
    __u32 is_probe; /* admitted as one in this epoch */
};

/* Map `emit_stats`, per CPU, keyed by record_type. produced = consumed + dropped once drained. */
struct emit_stats {
    __u64 produced; /* attempts, the dropped ones included */
    __u64 dropped;  /* failed reservations */
};

/* Map `map_drops`, per CPU: updates lost because a map was full. */
enum map_drop {
    MAP_DROP_RUNQ_CGROUP,
    MAP_DROP_RUNQ_TASK,
    MAP_DROP_BLOCKED_CGROUP,
    MAP_DROP_BLOCKED_TASK,
    MAP_DROP_PROCESS_CGROUP,
    MAP_DROP_PROCESS_SHORT,
    MAP_DROP_RECLAIM_CGROUP,
    MAP_DROP_RECLAIM_TASK,
    MAP_DROP_BLKIO_DEVICE,
    MAP_DROP_BLKIO_INFLIGHT,
    MAP_DROP_TCP_PORT,
    MAP_DROP_TCP_SOCKET,
    MAP_DROP_CALL_SOCKET,
    MAP_DROP_COUNT,
};

#endif
