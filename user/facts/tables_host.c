/* CPU, memory, disks, network and pressure. */
#include "facts/tables.h"
#include "model/snapshot.h"
#include <stdio.h>

#define TYPE struct cpu_times
static const struct field cpu_modes_fields[] = {
    PERCENT("user", percent[CPU_USER]),       PERCENT("nice", percent[CPU_NICE]),
    PERCENT("system", percent[CPU_SYSTEM]),   PERCENT("idle", percent[CPU_IDLE]),
    PERCENT("iowait", percent[CPU_IOWAIT]),   PERCENT("irq", percent[CPU_IRQ]),
    PERCENT("softirq", percent[CPU_SOFTIRQ]), PERCENT("steal", percent[CPU_STEAL]),
};
#undef TYPE

static const struct field_table cpu_modes_table =
    FIELD_TABLE("CpuModes", cpu_modes_fields, "Share of the time per mode, 0..100.");

#define TYPE struct cpu_core
static const struct field cpu_core_fields[] = {
    ROW("id", FIELD_U32, id),
    PERCENT("usage_percent", times.usage_percent),
    PERCENT("iowait_percent", times.percent[CPU_IOWAIT]),
    PERCENT("steal_percent", times.percent[CPU_STEAL]),
};
#undef TYPE

static const struct field_table cpu_core_table = FIELD_TABLE("CpuCore", cpu_core_fields, NULL);

#define TYPE struct cpu_snapshot
static const struct field cpu_fields[] = {
    PERCENT("usage_percent", total.usage_percent, .about = "100 - idle - iowait",
            GAUGE("moonwatch_cpu_usage_ratio",
                  "Share of the last second that was neither idle nor waiting for I/O."),
            JUDGED("cpu"), WATCHED),
    ROW("modes_percent", FIELD_OBJECT, total, .table = &cpu_modes_table),
    ROW("load1", FIELD_READING, load1, .decimals = 2,
        GAUGE("moonwatch_load1", "Load average over 1 minute."), WATCHED),
    ROW("load5", FIELD_READING, load5, .decimals = 2,
        GAUGE("moonwatch_load5", "Load average over 5 minutes.")),
    ROW("load15", FIELD_READING, load15, .decimals = 2,
        GAUGE("moonwatch_load15", "Load average over 15 minutes.")),
    WHOLE("runnable", runnable, .about = "tasks running or waiting for a CPU",
          GAUGE("moonwatch_tasks_runnable", "Tasks running or waiting for a CPU."), WATCHED),
    WHOLE("blocked", blocked, .about = "tasks in uninterruptible sleep",
          GAUGE("moonwatch_tasks_blocked", "Tasks in uninterruptible sleep."), WATCHED),
    WHOLE("context_switches_total", context_switches_total, .about = "since boot",
          COUNTER("moonwatch_context_switches", "Context switches since boot.")),
    FIGURE(FIELD_READING, boot_time_seconds,
           GAUGE("moonwatch_boot_time_seconds", "When the host booted, since the epoch.")),
    LIST("cores", cores, core_count, &cpu_core_table, struct cpu_core),
};

FIELD_METRICS(cpu_fields, "", NEED_NOTHING);
const struct field_table cpu_table =
    FIELD_TABLE("Cpu", cpu_fields, NULL, .missing_at = MISSING_AT(TYPE, missing));

/* The rows `runnable` and `blocked`. */
#define TASKS_FIRST 5
#define TASKS_COUNT 2
const struct field_table tasks_table = {
    .name = "Tasks",
    .fields = cpu_fields + TASKS_FIRST,
    .count = TASKS_COUNT,
    .missing_at = MISSING_AT(TYPE, missing),
};
#undef TYPE

static void label_throttle(const void *row, struct row_labels *ret)
{
    const struct cpu_throttle *r = row;

    row_label(ret, "cgroup", r->path);
}

#define TYPE struct cpu_throttle
static const struct field cpu_throttle_fields[] = {
    ROW("cgroup", FIELD_CHARS, path),
    PERCENT("throttled_percent", throttled_percent, .about = "of the periods in the last second",
            JUDGED("throttled")),
    ROW("throttled_seconds_total", FIELD_DOUBLE, throttled_seconds_total, .decimals = 3,
        COUNTER("moonwatch_cgroup_cpu_throttled_seconds",
                "Time the cgroup's run queues stood still for want of quota."),
        AFTER("throttled_periods_total"), WATCHED),
    ROW("throttled_periods_total", FIELD_DOUBLE, throttled_periods_total,
        COUNTER("moonwatch_cgroup_cpu_throttled_periods",
                "Quota periods in which the cgroup used up its quota and had to wait."),
        AFTER("periods_total")),
    ROW("periods_total", FIELD_DOUBLE, periods_total,
        COUNTER("moonwatch_cgroup_cpu_periods",
                "Quota periods in which the cgroup wanted to run.")),
};
#undef TYPE

FIELD_METRICS(cpu_throttle_fields, "cgroup ", NEED_NOTHING);
const struct field_table cpu_throttle_table =
    FIELD_TABLE("CpuThrottle", cpu_throttle_fields, "A cgroup held back by its CPU quota.",
                .label = label_throttle);

#define TYPE struct cgroup_cpu
static const struct field cgroup_cpu_fields[] = {
    ROW("cgroup", FIELD_CHARS, path),
    ROW("cpu_percent", FIELD_DOUBLE, cpu_percent, .decimals = 1,
        .about = "of one CPU; not of the cgroups below, unless they are gone"),
};
#undef TYPE

const struct field_table cgroup_cpu_table =
    FIELD_TABLE("CgroupCpu", cgroup_cpu_fields, "CPU time of a cgroup, ended tasks included.");

#define TYPE struct memory_snapshot
static const struct field memory_fields[] = {
    PERCENT("usage_percent", usage_percent, .about = "(total - available) / total",
            GAUGE("moonwatch_memory_usage_ratio", "Share of memory that is not available."),
            AFTER("free_bytes"), JUDGED("memory"), WATCHED, LIMIT(100)),
    WHOLE("total_bytes", total_bytes, GAUGE("moonwatch_memory_total_bytes", "Memory of the host.")),
    WHOLE("available_bytes", available_bytes, .about = "without swapping",
          GAUGE("moonwatch_memory_available_bytes",
                "Memory that can be had without swapping: the kernel's estimate and what "
                "ZFS's cache holds above its least.")),
    WHOLE("arc_reclaimable_bytes", arc_reclaimable_bytes,
          .about = "of these, what ZFS's cache holds above its least",
          GAUGE("moonwatch_memory_arc_reclaimable_bytes",
                "What ZFS's cache holds above its least; no sample without ZFS.")),
    WHOLE("free_bytes", free_bytes,
          GAUGE("moonwatch_memory_free_bytes", "Memory used for nothing at all.")),
    WHOLE("buffers_bytes", buffers_bytes,
          GAUGE("moonwatch_memory_buffers_bytes", "Buffers of block devices.")),
    WHOLE("cached_bytes", cached_bytes, GAUGE("moonwatch_memory_cached_bytes", "Page cache.")),
    WHOLE("dirty_bytes", dirty_bytes,
          GAUGE("moonwatch_memory_dirty_bytes", "Page cache not yet written to disk.")),
    WHOLE("writeback_bytes", writeback_bytes,
          GAUGE("moonwatch_memory_writeback_bytes", "Page cache being written to disk.")),
    WHOLE("slab_bytes", slab_bytes,
          GAUGE("moonwatch_memory_slab_bytes", "The kernel's own objects.")),
    WHOLE("slab_reclaimable_bytes", slab_reclaimable_bytes,
          GAUGE("moonwatch_memory_slab_reclaimable_bytes",
                "The kernel's own objects that it can give up.")),
    WHOLE("swap_total_bytes", swap_total_bytes,
          GAUGE("moonwatch_swap_total_bytes", "Swap of the host.")),
    WHOLE("swap_free_bytes", swap_free_bytes,
          GAUGE("moonwatch_swap_free_bytes", "Swap not in use."), WATCHED, RUNS_OUT),
    PERCENT("swap_usage_percent", swap_usage_percent, JUDGED("swap")),
    WHOLE("hugepages_total", hugepages_total, GAUGE("moonwatch_hugepages", "Huge pages reserved.")),
    WHOLE("hugepages_free", hugepages_free,
          GAUGE("moonwatch_hugepages_free", "Huge pages reserved and not in use.")),
    WHOLE("hugepage_size_bytes", hugepage_size_bytes,
          GAUGE("moonwatch_hugepage_size_bytes", "Size of a huge page.")),
    WHOLE("major_faults_total", major_faults_total,
          COUNTER("moonwatch_major_faults", "Page faults that needed I/O, since boot."),
          AFTER("swap_out_pages_total")),
    WHOLE("swap_in_pages_total", swap_in_pages_total,
          COUNTER("moonwatch_swap_in_pages", "Pages read from swap since boot.")),
    WHOLE("swap_out_pages_total", swap_out_pages_total,
          COUNTER("moonwatch_swap_out_pages", "Pages written to swap since boot.")),
    WHOLE("oom_kills_total", oom_kills_total, .about = "since boot, as the kernel counts",
          COUNTER("moonwatch_memory_oom_kills",
                  "Processes the OOM killer ended, by the kernel's own count since boot."),
          AFTER("hugepage_size_bytes")),
};
#undef TYPE

FIELD_METRICS(memory_fields, "", NEED_NOTHING);
const struct field_table memory_table = FIELD_TABLE(
    "Memory", memory_fields, NULL, .missing_at = MISSING_AT(struct memory_snapshot, missing));

static void label_filesystem(const void *row, struct row_labels *ret)
{
    const struct filesystem *r = row;

    row_label(ret, "device", r->device);
    row_label(ret, "fstype", r->type);
    row_label(ret, "mount", r->mount);
}

#define TYPE struct filesystem
static const struct field filesystem_fields[] = {
    ROW("mount", FIELD_CHARS, mount, .identity = true),
    ROW("device", FIELD_CHARS, device, .identity = true),
    ROW("type", FIELD_CHARS, type, .identity = true),
    ROW("read_only", FIELD_BOOL, read_only, .identity = true,
        GAUGE("moonwatch_filesystem_read_only",
              "1 when nobody can write to it: by choice, or after an error."),
        AFTER("full_in_seconds")),
    PERCENT("usage_percent", usage_percent, .about = "as df: used / (used + available)",
            GAUGE("moonwatch_filesystem_usage_ratio",
                  "Share of the space users may have that is in use, as df counts it."),
            AFTER("available_bytes"), JUDGED("disk"), WATCHED, LIMIT(100)),
    WHOLE("size_bytes", size_bytes,
          GAUGE("moonwatch_filesystem_size_bytes", "Size of the filesystem.")),
    WHOLE("free_bytes", free_bytes, GAUGE("moonwatch_filesystem_free_bytes", "Space not in use.")),
    WHOLE("available_bytes", available_bytes, .about = "to users without privileges",
          GAUGE("moonwatch_filesystem_available_bytes",
                "Space not in use that users other than root may have.")),
    PERCENT("inodes_usage_percent", inodes_usage_percent, JUDGED("inodes")),
    WHOLE("inodes_total", inodes_total,
          GAUGE("moonwatch_filesystem_inodes", "Inodes of the filesystem.")),
    WHOLE("inodes_free", inodes_free,
          GAUGE("moonwatch_filesystem_inodes_free", "Inodes not in use."), WATCHED, RUNS_OUT),
    WHOLE("full_in_seconds", full_in_seconds, .about = "by the trend of the last hour",
          GAUGE("moonwatch_filesystem_full_in_seconds",
                "When the filesystem is full by the trend of the last hour; no sample while "
                "it does not grow.")),
};
#undef TYPE

FIELD_METRICS(filesystem_fields, "device fstype mount ", NEED_NOTHING);
const struct field_table filesystem_table =
    FIELD_TABLE("Filesystem", filesystem_fields, NULL, .label = label_filesystem);

#define TYPE struct blkio_stats
static const struct field blkio_fields[] = {
    ROW("latency", FIELD_LATENCY, latency, .about = "issue to completion, since the agent started",
        HISTOGRAM("moonwatch_block_latency_seconds",
                  "Block I/O from issue to completion, since the probe was attached.")),
    ROW("bytes_total", FIELD_U64, bytes,
        COUNTER("moonwatch_block_traced_bytes", "Bytes of the traced block I/O.")),
    ROW("errors_total", FIELD_U64, errors,
        COUNTER("moonwatch_block_errors", "Block I/O that ended with an error.")),
};
#undef TYPE

FIELD_METRICS(blkio_fields, "device op ", NEED_BLKIO);
static const struct field_table blkio_table =
    FIELD_TABLE("BlockOperation", blkio_fields, "Requests of one kind, traced in the kernel.");

static void label_device(const void *row, struct row_labels *ret)
{
    const struct block_device *r = row;

    row_label(ret, "device", r->name);
}

#define TYPE struct block_device
static const struct field block_device_fields[] = {
    ROW("name", FIELD_CHARS, name),
    PERCENT("busy_percent", busy_percent),
    WHOLE("in_flight", in_flight,
          GAUGE("moonwatch_block_in_flight", "I/O issued and not completed."),
          AFTER("io_seconds_total"), WATCHED),
    ROW("reads_total", FIELD_DOUBLE, reads_total,
        COUNTER("moonwatch_block_reads", "Reads completed since boot.")),
    ROW("writes_total", FIELD_DOUBLE, writes_total,
        COUNTER("moonwatch_block_writes", "Writes completed since boot.")),
    ROW("read_bytes_total", FIELD_DOUBLE, read_bytes_total,
        COUNTER("moonwatch_block_read_bytes", "Bytes read since boot.")),
    ROW("written_bytes_total", FIELD_DOUBLE, written_bytes_total,
        COUNTER("moonwatch_block_written_bytes", "Bytes written since boot.")),
    ROW("io_seconds_total", FIELD_DOUBLE, io_seconds_total, .decimals = 3,
        COUNTER("moonwatch_block_busy_seconds", "Time with I/O in flight, since boot."), WATCHED),
};

static bool is_traced(const void *object, const void *at)
{
    (void)at;
    return ((const struct block_device *)object)->traced;
}

/* Devices that never flush or discard need no thirty lines of zeros for it. */
static bool is_used(const void *object, const void *at)
{
    return is_traced(object, at) && ((const struct blkio_stats *)at)->latency.count > 0;
}

static const struct field block_traced_fields[] = {
    ROW("recent_read_latency", FIELD_LATENCY, recent[BLKIO_READ], .about = "last minute"),
    ROW("recent_write_latency", FIELD_LATENCY, recent[BLKIO_WRITE], .about = "last minute"),
    ROW("recent_flush_latency", FIELD_LATENCY, recent[BLKIO_FLUSH], .about = "last minute"),
    ROW("read", FIELD_OBJECT, ops[BLKIO_READ], .table = &blkio_table, .label = {"op", "read"},
        .told = is_traced),
    ROW("write", FIELD_OBJECT, ops[BLKIO_WRITE], .table = &blkio_table, .label = {"op", "write"},
        .told = is_traced),
    ROW("flush", FIELD_OBJECT, ops[BLKIO_FLUSH], .table = &blkio_table, .label = {"op", "flush"},
        .told = is_used),
    ROW("discard", FIELD_OBJECT, ops[BLKIO_DISCARD], .table = &blkio_table,
        .label = {"op", "discard"}, .told = is_used),
    ROW("other", FIELD_OBJECT, ops[BLKIO_OTHER], .table = &blkio_table, .label = {"op", "other"},
        .told = is_used),
};
#undef TYPE

FIELD_METRICS(block_device_fields, "device ", NEED_NOTHING);
const struct field_table block_device_table =
    FIELD_TABLE("BlockCounters", block_device_fields, NULL, .label = label_device);
const struct field_table block_traced_table =
    FIELD_TABLE("BlockTraced", block_traced_fields, NULL, .label = label_device);

#define TYPE struct pressure_line
#define STALLED(period)                                                                            \
    GAUGE("moonwatch_pressure_ratio",                                                              \
          "Share of the window in which some or all tasks stood still for a resource (PSI).",      \
          .labels = "resource share window "),                                                     \
        AFTER("seconds_total"), .label = {"window", (period)}
static const struct field pressure_line_fields[] = {
    PERCENT("avg10_percent", avg10_percent, STALLED("10s"), WATCHED, JUDGED("pressure")),
    PERCENT("avg60_percent", avg60_percent, STALLED("60s")),
    PERCENT("avg300_percent", avg300_percent, STALLED("300s")),
    ROW("seconds_total", FIELD_READING, seconds_total, .decimals = 6,
        COUNTER("moonwatch_pressure_stalled_seconds",
                "Time in which some or all tasks stood still for a resource, since boot (PSI).")),
};
#undef TYPE

FIELD_METRICS(pressure_line_fields, "resource share ", NEED_NOTHING);
static const struct field_table pressure_line_table = FIELD_TABLE(
    "PressureLine", pressure_line_fields, "Share of the last 10, 60, 300 s in which tasks stood.");

#define TYPE struct pressure
static const struct field pressure_fields[] = {
    ROW("some", FIELD_OBJECT, some, .table = &pressure_line_table, .about = "at least one task",
        .label = {"share", "some"}),
    ROW("full", FIELD_OBJECT, full, .table = &pressure_line_table, .about = "all tasks at once",
        .label = {"share", "full"}),
    ROW("triggers_total", FIELD_DOUBLE, triggers_total,
        .unknown = "the kernel's triggers could not be set",
        .about = "times the kernel's trigger fired",
        COUNTER("moonwatch_pressure_triggers", "Times the kernel's pressure trigger fired.")),
};
#undef TYPE

FIELD_METRICS(pressure_fields, "resource ", NEED_NOTHING);
static const struct field_table pressure_table =
    FIELD_TABLE("PressureResource", pressure_fields, "Pressure stall information (PSI).");

#define TYPE struct pressure_snapshot
static const struct field pressure_resources_fields[] = {
    ROW("cpu", FIELD_OBJECT, resource[PRESSURE_CPU], .table = &pressure_table,
        .label = {"resource", "cpu"}),
    ROW("memory", FIELD_OBJECT, resource[PRESSURE_MEMORY], .table = &pressure_table,
        .label = {"resource", "memory"}),
    ROW("io", FIELD_OBJECT, resource[PRESSURE_IO], .table = &pressure_table,
        .label = {"resource", "io"}),
};
const struct field_table pressure_resources_table = FIELD_TABLE(
    "PressureResources", pressure_resources_fields, NULL, .missing_at = MISSING_AT(TYPE, missing));
#undef TYPE
