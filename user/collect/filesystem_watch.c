#include "collect/filesystem_watch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mounts.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MOUNTINFO_LIMIT (64 << 20)
#define OPTIONS_LIMIT 4096
/* Whoever made it read-only on purpose has read the warning by then. */
#define TURNED_TOLD_NS (3600 * NS_PER_SECOND)

struct filesystem_signs filesystem_signs_read(struct scan options)
{
    return (struct filesystem_signs){
        .read_only = mounts_option(options, "ro"),
        .emergency = mounts_option(options, "emergency_ro"),
        .shut_down = mounts_option(options, "shutdown"),
        .stops_at_error = mounts_option(options, "errors=remount-ro"),
    };
}

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types; types++)
        if (strcmp(type, *types) == 0)
            return true;
    return false;
}

static bool has_error_count(const char *type)
{
    static const char *const types[] = {"ext4", "ext3", "ext2", NULL};

    return is_one_of(type, types);
}

/* The kernel makes them read-only after an error. That of others (zfs) may be set as a property. */
static bool turns_by_error(const char *type)
{
    static const char *const types[] = {"ext4", "ext3",  "ext2", "btrfs",  "f2fs",
                                        "vfat", "exfat", "jfs",  "nilfs2", NULL};

    return is_one_of(type, types);
}

static void find_name(struct filesystem_watch *watch, const struct host *host,
                      const struct filesystem_identity *identity)
{
    char path[256], link[256];
    const char *name;
    ssize_t n;

    watch->begun = true;
    if (!has_error_count(identity->type))
        return;
    snprintf(path, sizeof(path), "%s/dev/block/%" PRIu64 ":%" PRIu64, host->sys,
             identity->device >> 32, identity->device & UINT32_MAX);
    n = readlink(path, link, sizeof(link) - 1);
    if (n <= 0)
        return;
    link[n] = '\0';
    name = strrchr(link, '/') ? strrchr(link, '/') + 1 : link;
    if (strlen(name) < sizeof(watch->name))
        memcpy(watch->name, name, strlen(name) + 1);
}

static bool look_at_errors(struct filesystem_watch *watch, const struct host *host)
{
    unsigned long long errors;
    char path[64];
    bool changed;

    if (!watch->name[0])
        return false;
    snprintf(path, sizeof(path), "fs/ext4/%s/errors_count", watch->name);
    if (file_read_u64(host->sys, path, &errors))
        return false;
    changed = watch->errors_known && errors != watch->errors;
    /* A check of the filesystem begins anew. */
    if (!watch->errors_known || errors < watch->first_errors)
        watch->first_errors = errors;
    watch->errors_known = true;
    watch->errors = errors;
    return changed;
}

bool filesystem_watch_look(struct filesystem_watch *watch, const struct host *host,
                           const struct filesystem_identity *identity, int err, unsigned long flags)
{
    bool first = !watch->begun, changed;
    bool refuses = err == -EIO, read_only = err ? watch->answered_read_only : flags & ST_RDONLY;

    if (first)
        find_name(watch, host, identity);
    changed = look_at_errors(watch, host) || refuses != watch->refuses ||
              read_only != watch->answered_read_only;
    watch->refuses = refuses;
    watch->answered_read_only = read_only;
    return changed && !first;
}

/* Without a word in mountinfo when it is the filesystem's default. */
static bool stops_at_error(const struct filesystem_watch *watch, const struct host *host)
{
    static const char wanted[] = "\nerrors=remount-ro\n";
    CLEANUP_FREE char *text = NULL;
    char path[64];
    size_t len = 0;

    snprintf(path, sizeof(path), "fs/ext4/%s/options", watch->name);
    return file_read_all(host->proc, path, OPTIONS_LIMIT, &text, &len) == 0 &&
           strstr(text, wanted) != NULL;
}

/* Who remounts makes the mount read-only too, the kernel the filesystem alone. Only the first
 * process's own list tells: the agent may be in a namespace where all is mounted read-only, or that
 * a remount does not reach. */
static bool kernel_turned_it(const struct host *host, const struct filesystem_identity *identity)
{
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    struct mount_line line;
    struct scan list;
    bool ret = false;

    if (!turns_by_error(identity->type) ||
        file_read_all(host->proc, "1/mountinfo", MOUNTINFO_LIMIT, &text, &len))
        return false;
    list = scan_of(text, len);
    while (mounts_next(&list, &line))
        if (((uint64_t)line.major << 32 | line.minor) == identity->device &&
            strcmp(line.target, identity->target) == 0)
            ret = mounts_option(line.mount_options, "rw");
    return ret;
}

static void note_turn(struct filesystem_watch *watch, const struct host *host,
                      const struct filesystem_identity *identity, bool read_only, uint64_t now_ns)
{
    if (!read_only) {
        watch->was_written = true;
        watch->turned = false;
    } else if (watch->was_written && !watch->turned) {
        watch->turned = true;
        watch->turned_ns = now_ns;
        watch->turned_by_kernel = kernel_turned_it(host, identity);
    }
}

static bool is_stopped(const struct filesystem_watch *watch, const struct host *host,
                       const struct filesystem_signs *signs, bool grew, bool is_root)
{
    if (signs->emergency || (watch->turned && watch->turned_by_kernel))
        return true;
    if (signs->read_only)
        return (grew && watch->was_written) || (is_root && watch->errors > 0);
    return grew && (signs->stops_at_error || stops_at_error(watch, host));
}

void filesystem_watch_judge(struct filesystem_watch *watch, const struct host *host,
                            const struct filesystem_identity *identity,
                            const struct filesystem_signs *signs, uint64_t now_ns,
                            struct filesystem *row)
{
    bool grew = watch->errors_known && watch->errors > watch->first_errors;
    bool is_root = strcmp(identity->target, "/") == 0;

    note_turn(watch, host, identity, signs->read_only, now_ns);
    row->errors = grew ? watch->errors - watch->first_errors : 0;
    row->fault = FILESYSTEM_SOUND;
    if (signs->shut_down || watch->refuses)
        row->fault = FILESYSTEM_SHUT_DOWN;
    else if (is_stopped(watch, host, signs, grew, is_root))
        row->fault = FILESYSTEM_STOPPED;
    else if (!signs->read_only && grew)
        row->fault = FILESYSTEM_ERRORS;
    else if (watch->turned && (is_root || now_ns - watch->turned_ns < TURNED_TOLD_NS))
        row->fault = FILESYSTEM_TURNED;
    row->read_only =
        signs->read_only || row->fault == FILESYSTEM_STOPPED || row->fault == FILESYSTEM_SHUT_DOWN;
}
