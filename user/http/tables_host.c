/* CPU, memory, disks, network and pressure. */
#include "http/tables.h"
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
    PERCENT("usage_percent", total.usage_percent, .about = "100 - idle - iowait"),
    ROW("modes_percent", FIELD_OBJECT, total, .table = &cpu_modes_table),
    ROW("load1", FIELD_READING, load1, .decimals = 2),
    ROW("load5", FIELD_READING, load5, .decimals = 2),
    ROW("load15", FIELD_READING, load15, .decimals = 2),
    WHOLE("runnable", runnable, .about = "tasks running or waiting for a CPU"),
    WHOLE("blocked", blocked, .about = "tasks in uninterruptible sleep"),
    WHOLE("context_switches_total", context_switches_total, .about = "since boot"),
    LIST("cores", cores, core_count, &cpu_core_table, struct cpu_core),
};
#undef TYPE

const struct field_table cpu_table =
    FIELD_TABLE("Cpu", cpu_fields, NULL, .missing_at = MISSING_AT(struct cpu_snapshot, missing));

#define TYPE struct cpu_throttle
static const struct field cpu_throttle_fields[] = {
    ROW("cgroup", FIELD_CHARS, path),
    PERCENT("throttled_percent", throttled_percent, .about = "of the periods in the last second"),
    ROW("throttled_seconds_total", FIELD_DOUBLE, throttled_seconds_total, .decimals = 3),
    ROW("throttled_periods_total", FIELD_DOUBLE, throttled_periods_total),
    ROW("periods_total", FIELD_DOUBLE, periods_total),
};
#undef TYPE

const struct field_table cpu_throttle_table =
    FIELD_TABLE("CpuThrottle", cpu_throttle_fields, "A cgroup held back by its CPU quota.");

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
    PERCENT("usage_percent", usage_percent, .about = "(total - available) / total"),
    WHOLE("total_bytes", total_bytes),
    WHOLE("available_bytes", available_bytes, .about = "without swapping"),
    WHOLE("arc_reclaimable_bytes", arc_reclaimable_bytes,
          .about = "of these, what ZFS's cache holds above its least"),
    WHOLE("free_bytes", free_bytes),
    WHOLE("buffers_bytes", buffers_bytes),
    WHOLE("cached_bytes", cached_bytes),
    WHOLE("dirty_bytes", dirty_bytes),
    WHOLE("writeback_bytes", writeback_bytes),
    WHOLE("slab_bytes", slab_bytes),
    WHOLE("slab_reclaimable_bytes", slab_reclaimable_bytes),
    WHOLE("swap_total_bytes", swap_total_bytes),
    WHOLE("swap_free_bytes", swap_free_bytes),
    PERCENT("swap_usage_percent", swap_usage_percent),
    WHOLE("hugepages_total", hugepages_total),
    WHOLE("hugepages_free", hugepages_free),
    WHOLE("hugepage_size_bytes", hugepage_size_bytes),
    WHOLE("major_faults_total", major_faults_total),
    WHOLE("swap_in_pages_total", swap_in_pages_total),
    WHOLE("swap_out_pages_total", swap_out_pages_total),
    WHOLE("oom_kills_total", oom_kills_total, .about = "since boot, as the kernel counts"),
};
#undef TYPE

const struct field_table memory_table = FIELD_TABLE(
    "Memory", memory_fields, NULL, .missing_at = MISSING_AT(struct memory_snapshot, missing));

#define TYPE struct filesystem
static const struct field filesystem_fields[] = {
    ROW("mount", FIELD_CHARS, mount, .identity = true),
    ROW("device", FIELD_CHARS, device, .identity = true),
    ROW("type", FIELD_CHARS, type, .identity = true),
    ROW("read_only", FIELD_BOOL, read_only, .identity = true),
    PERCENT("usage_percent", usage_percent, .about = "as df: used / (used + available)"),
    WHOLE("size_bytes", size_bytes),
    WHOLE("free_bytes", free_bytes),
    WHOLE("available_bytes", available_bytes, .about = "to users without privileges"),
    PERCENT("inodes_usage_percent", inodes_usage_percent),
    WHOLE("inodes_total", inodes_total),
    WHOLE("inodes_free", inodes_free),
    WHOLE("full_in_seconds", full_in_seconds, .about = "by the trend of the last hour"),
};
#undef TYPE

const struct field_table filesystem_table = FIELD_TABLE("Filesystem", filesystem_fields, NULL);

#define TYPE struct blkio_stats
static const struct field blkio_fields[] = {
    ROW("latency", FIELD_LATENCY, latency, .about = "issue to completion, since the agent started"),
    ROW("bytes_total", FIELD_U64, bytes),
    ROW("errors_total", FIELD_U64, errors),
};
#undef TYPE

static const struct field_table blkio_table =
    FIELD_TABLE("BlockOperation", blkio_fields, "Requests of one kind, traced in the kernel.");

#define TYPE struct block_device
static const struct field block_device_fields[] = {
    ROW("name", FIELD_CHARS, name),
    PERCENT("busy_percent", busy_percent),
    WHOLE("in_flight", in_flight),
    ROW("reads_total", FIELD_DOUBLE, reads_total),
    ROW("writes_total", FIELD_DOUBLE, writes_total),
    ROW("read_bytes_total", FIELD_DOUBLE, read_bytes_total),
    ROW("written_bytes_total", FIELD_DOUBLE, written_bytes_total),
    ROW("io_seconds_total", FIELD_DOUBLE, io_seconds_total, .decimals = 3),
};

static const struct field block_traced_fields[] = {
    ROW("recent_read_latency", FIELD_LATENCY, recent[BLKIO_READ], .about = "last minute"),
    ROW("recent_write_latency", FIELD_LATENCY, recent[BLKIO_WRITE], .about = "last minute"),
    ROW("recent_flush_latency", FIELD_LATENCY, recent[BLKIO_FLUSH], .about = "last minute"),
    ROW("read", FIELD_OBJECT, ops[BLKIO_READ], .table = &blkio_table),
    ROW("write", FIELD_OBJECT, ops[BLKIO_WRITE], .table = &blkio_table),
    ROW("flush", FIELD_OBJECT, ops[BLKIO_FLUSH], .table = &blkio_table),
    ROW("discard", FIELD_OBJECT, ops[BLKIO_DISCARD], .table = &blkio_table),
    ROW("other", FIELD_OBJECT, ops[BLKIO_OTHER], .table = &blkio_table),
};
#undef TYPE

const struct field_table block_device_table =
    FIELD_TABLE("BlockCounters", block_device_fields, NULL);
const struct field_table block_traced_table = FIELD_TABLE("BlockTraced", block_traced_fields, NULL);

#define TYPE struct pressure_line
static const struct field pressure_line_fields[] = {
    PERCENT("avg10_percent", avg10_percent),
    PERCENT("avg60_percent", avg60_percent),
    PERCENT("avg300_percent", avg300_percent),
    ROW("seconds_total", FIELD_READING, seconds_total, .decimals = 6),
};
#undef TYPE

static const struct field_table pressure_line_table = FIELD_TABLE(
    "PressureLine", pressure_line_fields, "Share of the last 10, 60, 300 s in which tasks stood.");

#define TYPE struct pressure
static const struct field pressure_fields[] = {
    ROW("some", FIELD_OBJECT, some, .table = &pressure_line_table, .about = "at least one task"),
    ROW("full", FIELD_OBJECT, full, .table = &pressure_line_table, .about = "all tasks at once"),
    ROW("triggers_total", FIELD_DOUBLE, triggers_total,
        .about = "times the kernel's trigger fired"),
};
#undef TYPE

const struct field_table pressure_table =
    FIELD_TABLE("PressureResource", pressure_fields, "Pressure stall information (PSI).");
