#include "http/sections.h"
#include "facts/tables.h"

#define MERGE(merged_table, ...)                                                                   \
    {                                                                                              \
        .kind = FIELD_MERGE, .offset = offsetof(TYPE, figures), .table = (merged_table),           \
        __VA_ARGS__                                                                                \
    }
#define TOP(description)                                                                           \
    LIST("top", top.rows, top.count, &process_table, struct process_row,                           \
         .missing_at = MISSING_AT(TYPE, top.missing), .about = (description))

#define TYPE struct throttle_snapshot
static const struct field throttle_fields[] = {
    LIST("throttled_cgroups", rows, count, &cpu_throttle_table, struct cpu_throttle,
         .about = "cgroups with a CPU quota"),
};
static const struct field_table throttle_table =
    FIELD_TABLE("Throttle", throttle_fields, NULL, .missing_at = MISSING_AT(TYPE, missing));
#undef TYPE

#define TYPE struct process_snapshot
static const struct field short_processes_fields[] = {
    ROW("short_processes", FIELD_ROWS, short_processes, .table = &short_processes_table,
        .stride = sizeof(struct short_processes_row), .count_offset = offsetof(TYPE, short_count),
        .missing_at = MISSING_AT(TYPE, short_missing),
        .about = "that began and ended between two looks at all processes, by CPU"),
};
static const struct field_table short_table =
    FIELD_TABLE("ShortLived", short_processes_fields, NULL);
#undef TYPE

#define TYPE struct cgroup_cpu_snapshot
static const struct field cgroup_cpu_fields[] = {
    LIST("cgroups", rows, count, &cgroup_cpu_table, struct cgroup_cpu,
         .missing_at = MISSING_AT(TYPE, missing), .about = "by CPU, whoever used it"),
};
static const struct field_table cgroups_table = FIELD_TABLE("CpuCgroups", cgroup_cpu_fields, NULL);
#undef TYPE

#define TYPE struct cpu_view
static const struct field cpu_section_fields[] = {
    SECTION_FIELDS,
    MERGE(&cpu_table),
    {.kind = FIELD_MERGE, .offset = offsetof(TYPE, throttle), .table = &throttle_table},
    TOP("processes by CPU"),
    {.kind = FIELD_MERGE, .offset = offsetof(TYPE, processes), .table = &short_table},
    {.kind = FIELD_MERGE, .offset = offsetof(TYPE, cgroups), .table = &cgroups_table},
};
#undef TYPE

static const struct field_table cpu_section_table =
    FIELD_TABLE("CpuSection", cpu_section_fields, NULL);

#define TYPE struct memory_view
static const struct field memory_section_fields[] = {
    SECTION_FIELDS,
    MERGE(&memory_table),
    TOP("processes by resident memory"),
};
#undef TYPE

static const struct field_table memory_section_table =
    FIELD_TABLE("MemorySection", memory_section_fields, NULL);

#define TYPE struct disk_view
static const struct field disk_fields[] = {
    MERGE(&filesystem_table),
    SECTION_FIELDS,
    ROW("inodes_thresholds", FIELD_OBJECT, inodes, .table = &thresholds_table),
};
#undef TYPE

static const struct field_table disk_table = FIELD_TABLE("Disk", disk_fields, "A mount.");

#define TYPE struct device_view
static const struct field device_fields[] = {
    MERGE(&block_device_table),
    MERGE(&block_traced_table, .missing_at = MISSING_AT(TYPE, untraced)),
};
#undef TYPE

static const struct field_table device_table = FIELD_TABLE("BlockDevice", device_fields, NULL);

#define TYPE struct io_view
static const struct field io_fields[] = {
    LIST("devices", devices, device_count, &device_table, struct device_view,
         .missing_at = MISSING_AT(TYPE, devices_missing)),
    TOP("processes by time in uninterruptible sleep, mostly I/O"),
};
#undef TYPE

static const struct field_table io_table = FIELD_TABLE("Io", io_fields, "Block devices.");

#define TYPE struct network_view
static const struct field network_section_fields[] = {
    SECTION_FIELDS,
    MERGE(&network_table),
    LIST("ports", ports, port_count, &tcp_port_table, struct tcp_port,
         .missing_at = MISSING_AT(TYPE, ports_missing),
         .about = "TCP by port: those that fail and retransmit first"),
    ROW("ports_omitted", FIELD_U64, ports_omitted, .missing_at = MISSING_AT(TYPE, ports_missing),
        .about = "ports in /metrics that are not shown here"),
};
#undef TYPE

static const struct field_table network_section_table =
    FIELD_TABLE("NetworkSection", network_section_fields, NULL);

#define TYPE struct pressure_view
static const struct field pressure_section_fields[] = {
    SECTION_FIELDS,
    MERGE(&pressure_resources_table),
};
#undef TYPE

static const struct field_table pressure_section_table =
    FIELD_TABLE("PressureSection", pressure_section_fields, "Pressure stall information (PSI).");

#define TYPE struct limit_view
static const struct field files_section_fields[] = {
    SECTION_FIELDS,
    MERGE(&files_table),
};
static const struct field processes_section_fields[] = {
    SECTION_FIELDS,
    MERGE(&processes_table),
};
#undef TYPE

static const struct field_table files_section_table =
    FIELD_TABLE("FilesSection", files_section_fields, NULL);
static const struct field_table processes_section_table =
    FIELD_TABLE("ProcessesSection", processes_section_fields, NULL);

#define TYPE struct events_view
#define EVENTS(merged_table, why)                                                                  \
    {                                                                                              \
        .kind = FIELD_MERGE, .offset = offsetof(TYPE, events), .table = (merged_table),            \
        .missing_at = MISSING_AT(TYPE, why)                                                        \
    }
static const struct field events_fields[] = {
    EVENTS(&oom_events_table, ooms_missing),
    EVENTS(&crash_events_table, crashes_missing),
    EVENTS(&connect_events_table, connects_missing),
    EVENTS(&stall_events_table, stalls_missing),
};
#undef TYPE

static const struct field_table events_table =
    FIELD_TABLE("Events", events_fields, "What happened lately, newest first.");

#define TYPE struct resources_view
static const struct field resources_fields[] = {
    ROW("status", FIELD_STATUS, component.status),
    ROW("reasons", FIELD_REASONS, component.reasons),
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    ROW("cpu", FIELD_OBJECT, cpu, .table = &cpu_section_table),
    ROW("memory", FIELD_OBJECT, memory, .table = &memory_section_table),
    LIST("disk", disks, disk_count, &disk_table, struct disk_view,
         .missing_at = MISSING_AT(TYPE, disks_missing), .about = "every real mount"),
    ROW("io", FIELD_OBJECT, io, .table = &io_table),
    ROW("network", FIELD_OBJECT, network, .table = &network_section_table),
    ROW("pressure", FIELD_OBJECT, pressure, .table = &pressure_section_table),
    ROW("file_descriptors", FIELD_OBJECT, files, .table = &files_section_table),
    ROW("processes", FIELD_OBJECT, processes, .table = &processes_section_table),
    ROW("events", FIELD_OBJECT, events, .table = &events_table),
};
#undef TYPE

const struct field_table resources_table =
    FIELD_TABLE("Resources", resources_fields, "Usage, thresholds and status of what a host has.");
