/* Processes, descriptors and limits of one tick, and who uses most. */
#ifndef MOONWATCH_MODEL_PROCESS_H
#define MOONWATCH_MODEL_PROCESS_H

#include "abi/process.h"
#include "abi/record.h"
#include "abi/runq.h"
#include "model/reading.h"
#include <stddef.h>
#include <stdint.h>

#define TOP_COUNT 5
#define CGROUP_PATH_BYTES 256

struct process_row {
    uint32_t pid, ppid;
    uint32_t thread_count;
    char comm[COMM_BYTES];
    uint64_t cgroup_id;
    uint64_t start_boot_ns;
    enum priority_class priority_class;
    int oom_score_adj;
    uint64_t rss_bytes, swap_bytes;
    struct reading rss_bytes_per_second; /* trend over the snapshots kept, about five minutes */
    /* Since the snapshot before; missing for a process not seen then. */
    struct reading cpu_percent; /* of one core; its own threads */
    /* Likewise of its children that began and ended since the snapshot before; they were never
     * seen themselves. */
    struct reading short_children_cpu_percent;
    struct reading run_delay_percent; /* of the time */
    struct reading blocked_percent;   /* uninterruptible, mostly I/O */
    struct reading read_bytes_per_second, written_bytes_per_second;
};

/* Processes of one name in one cgroup (v2) that began and ended between two task snapshots, whoever
 * waited for them, if anybody. */
struct short_processes_row {
    char comm[COMM_BYTES]; /* "": all that found no room */
    uint64_t cgroup_id;
    char cgroup_path[CGROUP_PATH_BYTES]; /* with a leading slash; "" when it is not known */
    double processes_per_second;
    double cpu_percent; /* of one core */
};

/* A thread that sleeps uninterruptibly and has not run since; see model/stuck_tasks.h. */
struct stuck_task {
    uint32_t pid, tgid;
    char comm[COMM_BYTES];
    uint64_t cgroup_id;
    uint64_t since_ns;     /* monotonic: of the first snapshot that saw it */
    double seconds;        /* from then to the last one */
    char wait_channel[48]; /* the kernel's function it sleeps in; "": not known */
};

#define PROCESS_FILES_MAX 8
/* From here on a process is looked at in every tick. */
#define PROCESS_FILES_NEAR_PERCENT 70

/* The process of its name that is nearest to its own limit of open files. */
struct process_files {
    uint32_t pid;
    char comm[COMM_BYTES];
    double open, limit;
    double usage_percent;
};

#define CGROUP_PIDS_MAX 16

/* A cgroup with a limit of tasks. */
struct cgroup_pids {
    char path[256]; /* below the controller's mount, with a leading slash */
    double current, limit;
    double usage_percent;
    double refused_total; /* forks, since the agent started */
    uint64_t refused_ns;  /* monotonic: when the last of them were seen; 0: never */
};

enum top_order { TOP_CPU, TOP_RSS, TOP_RUN_DELAY, TOP_BLOCKED, TOP_ORDER_COUNT };

const char *top_order_name(enum top_order o); /* "cpu" ... */

struct task_table; /* model/task_table.h */

/* Forks, execs and exits in one cgroup (v2), since the probe was attached. */
struct cgroup_lifecycle {
    uint64_t cgroup_id; /* 0: all cgroups that are gone or found no room */
    const char *path;   /* NULL when unknown or for id 0 */
    struct process_stats stats;
};

struct process_snapshot {
    struct reading processes; /* in the last task snapshot */
    struct reading threads;   /* now */
    struct reading pid_limit, threads_limit;
    struct reading pid_usage_percent; /* threads against the lower limit */
    struct reading files_open, files_limit, files_usage_percent;
    const char *top_missing; /* why there is no task snapshot, else NULL */
    uint64_t top_taken_ns;   /* monotonic */
    double top_seconds;      /* what the last task snapshot cost, wall time */
    size_t top_count[TOP_ORDER_COUNT];
    struct process_row top[TOP_ORDER_COUNT][TOP_COUNT]; /* highest first; zeros left out */
    const char *short_missing; /* why short_processes is empty, else NULL */
    size_t short_count;
    struct short_processes_row short_processes[TOP_COUNT]; /* by CPU, highest first */
    size_t stuck_count;
    struct stuck_task stuck[TOP_COUNT]; /* longest first */
    const struct task_table *tasks;     /* of the last snapshot; NULL when there is none */
    const char *files_of_missing;       /* why no process's files could be counted, else NULL */
    size_t files_of_count;
    const struct process_files *files_of; /* fullest first */
    const char *cgroup_pids_missing;
    size_t cgroup_pids_count;
    const struct cgroup_pids *cgroup_pids; /* those that refused first, then the fullest */
    const char *lifecycle_missing;
    struct process_stats lifecycle; /* host-wide, since the probe was attached */
    struct reading forks_per_second;
    size_t lifecycle_cgroup_count;
    const struct cgroup_lifecycle *lifecycle_cgroups;
};

#endif
