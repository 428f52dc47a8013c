/* All figures of one tick. Written by the collectors, then read-only until the next tick; pointers
 * in it belong to the collectors and are valid as long. */
#ifndef MOONWATCH_MODEL_SNAPSHOT_H
#define MOONWATCH_MODEL_SNAPSHOT_H

#include "model/cpu.h"
#include "model/disk.h"
#include "model/event.h"
#include "model/memory.h"
#include "model/network.h"
#include "model/pressure.h"
#include "model/process.h"
#include "model/scheduler.h"

struct snapshot {
    uint64_t sequence;     /* counts ticks; 0: nothing sampled yet */
    uint64_t monotonic_ns; /* when the sampling began */
    uint64_t realtime_ns;
    struct cpu_snapshot cpu;
    struct throttle_snapshot throttle;
    struct cgroup_cpu_snapshot cgroup_cpu;
    struct memory_snapshot memory;
    struct disk_snapshot disk;
    struct network_snapshot network;
    struct pressure_snapshot pressure;
    struct process_snapshot process;
    struct scheduler_snapshot scheduler;
    struct event_snapshot events;
};

#endif
