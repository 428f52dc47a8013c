/* CPU figures of one tick. Shares are percent of the time since the sample before, 0..100. */
#ifndef MOONWATCH_MODEL_CPU_H
#define MOONWATCH_MODEL_CPU_H

#include "model/reading.h"
#include <stddef.h>

enum cpu_mode {
    CPU_USER,
    CPU_NICE,
    CPU_SYSTEM,
    CPU_IDLE,
    CPU_IOWAIT,
    CPU_IRQ,
    CPU_SOFTIRQ,
    CPU_STEAL,
    CPU_MODE_COUNT,
};

const char *cpu_mode_name(enum cpu_mode mode); /* "user" ... */

struct cpu_times {
    double seconds_total[CPU_MODE_COUNT]; /* since boot; guest time is part of user and nice */
    struct reading percent[CPU_MODE_COUNT];
    struct reading usage_percent; /* 100 - idle - iowait */
};

struct cpu_core {
    unsigned id;
    struct cpu_times times;
};

struct cpu_snapshot {
    const char *missing; /* why there are no figures at all, else NULL */
    struct cpu_times total;
    size_t core_count;
    const struct cpu_core *cores; /* owned by the collector, valid until the next sample */
    struct reading load1, load5, load15;
    struct reading runnable; /* tasks running or waiting for a CPU */
    struct reading blocked;  /* tasks in uninterruptible sleep */
    struct reading context_switches_total;
    struct reading boot_time_seconds; /* epoch */
};

/* One cgroup with a CPU quota. */
struct cpu_throttle {
    char path[256]; /* as in /proc/PID/cgroup */
    double periods_total;
    double throttled_periods_total;
    double throttled_seconds_total;
    struct reading throttled_percent; /* of the periods since the sample before */
};

struct throttle_snapshot {
    const char *missing;
    unsigned version; /* cgroup version the controller is on: 1 or 2 */
    size_t count;
    const struct cpu_throttle *rows;
};

#define CGROUP_CPU_MAX 5

/* What the tasks of one cgroup took between the last two looks, some 5 s apart, the ended ones
 * included. */
struct cgroup_cpu {
    char path[256];     /* as in /proc/PID/cgroup */
    double cpu_percent; /* of one core; not of the cgroups below, unless they are gone */
};

struct cgroup_cpu_snapshot {
    const char *missing;
    size_t count;
    const struct cgroup_cpu *rows; /* highest first; without the root */
};

#endif
