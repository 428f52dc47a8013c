/* Disks and the kernel's finite tables: what fails the next request for it once it is full. */
#include "health/definition.h"
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#define LEVEL_AT(member) offsetof(struct config, health_monitor.thresholds.member)
/* There is no burst to wait out. */
#define CAPACITY .margin = 0.025, .raise_ns = 0, .clear_ns = CHECK_RAISE_NS

/* Without a list of filesystems there is one check without a value, which says why. */
static size_t count_disks(const struct health_input *in)
{
    return in->snapshot->disk.missing ? 1 : in->snapshot->disk.filesystem_count;
}

static bool read_disk(const struct check_at *at, struct check_sample *ret)
{
    const struct disk_snapshot *disk = &at->snapshot->disk;

    if (disk->missing) {
        ret->value = reading_missing(disk->missing);
        ret->essential = true;
        return true;
    }
    ret->key = disk->filesystems[at->index].mount;
    ret->value = disk->filesystems[at->index].usage_percent;
    return !disk->filesystems[at->index].read_only;
}

static void say_disk(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "disk ");
    phrase_path(p, at->snapshot->disk.filesystems[at->index].mount);
    phrase_add(p, " %.1f %% used", at->value);
}

static void advise_disk(const struct check_at *at, struct phrase *p)
{
    struct reading full_in = at->snapshot->disk.filesystems[at->index].full_in_seconds;

    if (!reading_known(full_in))
        return;
    phrase_add(p, ", full in about ");
    phrase_duration(p, full_in.value);
}

static size_t count_filesystems(const struct health_input *in)
{
    return in->snapshot->disk.missing ? 0 : in->snapshot->disk.filesystem_count;
}

/* btrfs and others make inodes as they need them and have no figure to judge. */
static bool read_inodes(const struct check_at *at, struct check_sample *ret)
{
    const struct filesystem *fs = &at->snapshot->disk.filesystems[at->index];

    ret->key = fs->mount;
    ret->value = fs->inodes_usage_percent;
    return !fs->read_only && reading_known(fs->inodes_usage_percent);
}

static void say_inodes(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "inodes of ");
    phrase_path(p, at->snapshot->disk.filesystems[at->index].mount);
    phrase_add(p, " %.1f %% used", at->value);
}

/* Pulled out while it was mounted, more often than broken. */
static bool is_removable(const char *mount)
{
    return strncmp(mount, "/media/", 7) == 0 || strncmp(mount, "/run/media/", 11) == 0;
}

static bool read_filesystem(const struct check_at *at, struct check_sample *ret)
{
    static const double grades[FILESYSTEM_FAULT_COUNT] = {
        [FILESYSTEM_TURNED] = 1,
        [FILESYSTEM_ERRORS] = 1,
        [FILESYSTEM_STOPPED] = 2,
        [FILESYSTEM_SHUT_DOWN] = 2,
    };
    const struct filesystem *fs = &at->snapshot->disk.filesystems[at->index];
    double grade = grades[fs->fault];

    ret->key = fs->mount;
    ret->value = reading_of(is_removable(fs->mount) ? fmin(grade, 1) : grade);
    return true;
}

static void say_filesystem(const struct check_at *at, struct phrase *p)
{
    static const char *const faults[FILESYSTEM_FAULT_COUNT] = {
        [FILESYSTEM_TURNED] = " was made read-only; nothing says that an error did it",
        [FILESYSTEM_ERRORS] = " has errors and is still written to; check it",
        [FILESYSTEM_STOPPED] = " is read-only after an error: nothing can be written",
        [FILESYSTEM_SHUT_DOWN] = " was shut down after an error: nothing can be read or written",
    };
    const struct filesystem *fs = &at->snapshot->disk.filesystems[at->index];

    phrase_add(p, "filesystem ");
    phrase_path(p, fs->mount);
    phrase_add(p, "%s", faults[fs->fault] ? faults[fs->fault] : "");
    if (fs->errors > 0)
        phrase_add(p, " (%" PRIu64 " error%s)", fs->errors, fs->errors == 1 ? "" : "s");
}

static void advise_filesystem(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "; see the kernel's log for %s",
               at->snapshot->disk.filesystems[at->index].device);
}

enum capacity { CAPACITY_PIDS, CAPACITY_FILES, CAPACITY_CONNTRACK, CAPACITY_COUNT };

/* Finite tables of the kernel: where the share stands, and which knob widens them. */
static const struct {
    const char *subject;
    const char *advice;
    size_t used_at, limit_at, share_at; /* in struct snapshot */
} capacities[CAPACITY_COUNT] = {
    [CAPACITY_PIDS] = {"pids", "kernel.pid_max and kernel.threads-max",
                       offsetof(struct snapshot, process.threads),
                       offsetof(struct snapshot, process.pid_limit),
                       offsetof(struct snapshot, process.pid_usage_percent)},
    [CAPACITY_FILES] = {"file handles", "fs.file-max",
                        offsetof(struct snapshot, process.files_open),
                        offsetof(struct snapshot, process.files_limit),
                        offsetof(struct snapshot, process.files_usage_percent)},
    [CAPACITY_CONNTRACK] = {"connection tracking", "net.netfilter.nf_conntrack_max",
                            offsetof(struct snapshot, network.conntrack_entries),
                            offsetof(struct snapshot, network.conntrack_limit),
                            offsetof(struct snapshot, network.conntrack_usage_percent)},
};

static struct reading snapshot_reading(const struct snapshot *snapshot, size_t at)
{
    return *(const struct reading *)((const char *)snapshot + at);
}

static bool read_capacity(const struct check_at *at, struct check_sample *ret)
{
    ret->value = snapshot_reading(at->snapshot, capacities[at->definition->which].share_at);
    /* No conntrack module, no table that could fill. */
    return at->definition->which != CAPACITY_CONNTRACK || reading_known(ret->value);
}

static void say_capacity(const struct check_at *at, struct phrase *p)
{
    struct reading used = snapshot_reading(at->snapshot, capacities[at->definition->which].used_at);
    struct reading limit =
        snapshot_reading(at->snapshot, capacities[at->definition->which].limit_at);

    phrase_add(p, "%s %.1f %% used", capacities[at->definition->which].subject, at->value);
    if (reading_known(used) && reading_known(limit))
        phrase_add(p, " (%.0f of %.0f)", used.value, limit.value);
}

static void advise_capacity(const struct check_at *at, struct phrase *p)
{
    phrase_add(p, "; find what leaks them or raise %s", capacities[at->definition->which].advice);
}

/* Levels that are not configurable:
 *  - pids 85/95: Netdata's alarm active_processes.
 *  - files 70/90: the node mixin's NodeFileDescriptorLimit.
 *  - conntrack 75/95: the node mixin's NodeHighNumberConntrackEntriesUsed; a full table drops
 *    packets. */
static const struct check_definition rows[] = {
    {.name = "disk",
     .component = COMPONENT_RESOURCES,
     .warning_at = LEVEL_AT(disk_warning),
     .critical_at = LEVEL_AT(disk_critical),
     CAPACITY,
     .count = count_disks,
     .read = read_disk,
     .say = say_disk,
     .advise = advise_disk},
    {.name = "inodes",
     .component = COMPONENT_RESOURCES,
     .warning_at = LEVEL_AT(disk_warning),
     .critical_at = LEVEL_AT(disk_critical),
     CAPACITY,
     .count = count_filesystems,
     .read = read_inodes,
     .say = say_inodes},
    {.name = "filesystem",
     .component = COMPONENT_RESOURCES,
     .in_grades = true,
     .warning = 1,
     .critical = 2,
     .count = count_filesystems,
     .read = read_filesystem,
     .say = say_filesystem,
     .advise = advise_filesystem},
    {.name = "pids",
     .component = COMPONENT_RESOURCES,
     .which = CAPACITY_PIDS,
     .warning = 85,
     .critical = 95,
     CAPACITY,
     .read = read_capacity,
     .say = say_capacity,
     .advise = advise_capacity},
    {.name = "files",
     .component = COMPONENT_RESOURCES,
     .which = CAPACITY_FILES,
     .warning = 70,
     .critical = 90,
     CAPACITY,
     .read = read_capacity,
     .say = say_capacity,
     .advise = advise_capacity},
    {.name = "conntrack",
     .component = COMPONENT_RESOURCES,
     .which = CAPACITY_CONNTRACK,
     .warning = 75,
     .critical = 95,
     CAPACITY,
     .read = read_capacity,
     .say = say_capacity,
     .advise = advise_capacity},
};

const struct check_table capacity_checks = {rows, sizeof(rows) / sizeof(rows[0])};
