/* The parts of /health/resources: views over the snapshot, and the table of the whole body. */
#ifndef MOONWATCH_HTTP_SECTIONS_H
#define MOONWATCH_HTTP_SECTIONS_H

#include "http/body.h"

extern const struct field_table resources_table;

/* The processes that use most of something. */
struct top_view {
    const char *missing;
    size_t count;
    const struct process_row *rows;
};

struct cpu_view {
    struct section section;
    const struct cpu_snapshot *figures;
    const struct throttle_snapshot *throttle;
    const struct process_snapshot *processes;
    const struct cgroup_cpu_snapshot *cgroups;
    struct top_view top;
};

struct memory_view {
    struct section section;
    const struct memory_snapshot *figures;
    struct top_view top;
};

struct disk_view {
    struct section section, inodes;
    const struct filesystem *figures;
};

struct device_view {
    const struct block_device *figures;
    const char *untraced; /* why it has no traced figures, else NULL */
};

struct io_view {
    const char *devices_missing;
    size_t device_count;
    const struct device_view *devices;
    struct top_view top;
};

struct network_view {
    struct section section;
    const struct network_snapshot *figures;
    const char *ports_missing;
    size_t port_count;
    const struct tcp_port *ports;
    uint64_t ports_omitted;
};

struct pressure_view {
    struct section section;
    const struct pressure_snapshot *figures;
};

struct limit_view {
    struct section section;
    const struct process_snapshot *figures;
};

struct events_view {
    const struct event_snapshot *events;
    const char *ooms_missing, *crashes_missing, *connects_missing, *stalls_missing;
};

struct resources_view {
    struct component_view component;
    uint64_t realtime_ns;
    struct cpu_view cpu;
    struct memory_view memory;
    const char *disks_missing;
    size_t disk_count;
    const struct disk_view *disks;
    struct io_view io;
    struct network_view network;
    struct pressure_view pressure;
    struct limit_view files, processes;
    struct events_view events;
};

#endif
