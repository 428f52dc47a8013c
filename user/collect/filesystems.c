#include "collect/filesystems.h"
#include "base/clock.h"
#include "base/file.h"
#include "collect/mount_choice.h"
#include "model/growth.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A filesystem fills in minutes, not in seconds. */
#define USAGE_EVERY_NS (5 * NS_PER_SECOND)
/* Every row is a label in the metrics. */
#define ROWS_MAX 256

struct row_state {
    unsigned mount_id;
    uint64_t device;
    char *target; /* the whole path, which the row may have to cut */
    struct growth growth;
};

struct row_set {
    size_t count;
    struct row_state *states;
    struct filesystem *rows; /* row i is of state i */
};

struct filesystems {
    struct filesystems_ops ops;
    struct proc_file mountinfo;
    char *buffer;
    size_t capacity;
    bool read; /* mountinfo was read since it changed */
    uint64_t usage_due_ns;
    struct row_set set;
    const char *missing;
    char reason[96];
};

static int kernel_usage(void *ctx, const char *target, unsigned mount_id, struct statvfs *ret)
{
    struct statx stx;

    (void)ctx;
    if (statx(AT_FDCWD, target, AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0)
        return -errno;
    if ((stx.stx_mask & STATX_MNT_ID) && stx.stx_mnt_id != mount_id)
        return -ESTALE;
    return statvfs(target, ret) < 0 ? -errno : 0;
}

static void free_set(struct row_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->states[i].target);
    free(set->states);
    free(set->rows);
    *set = (struct row_set){.count = 0};
}

static void fill_missing(struct filesystem *f, const char *why)
{
    f->size_bytes = f->free_bytes = f->available_bytes = reading_missing(why);
    f->usage_percent = reading_missing(why);
    f->inodes_total = f->inodes_free = f->inodes_usage_percent = reading_missing(why);
    f->full_in_seconds = reading_missing(why);
}

/* Where the reserve is eaten up, some filesystems subtract below zero, which is then a huge number
 * of blocks. */
static uint64_t blocks_of(uint64_t blocks, uint64_t total)
{
    return blocks <= total ? blocks : 0;
}

/* df's arithmetic: what is reserved for root counts as neither used nor available. */
static void fill_usage(struct filesystem *f, const struct statvfs *v, uint64_t now_ns,
                       struct growth *growth)
{
    uint64_t free = blocks_of(v->f_bfree, v->f_blocks);
    double unit = (double)v->f_frsize, used, available;

    if (v->f_blocks == 0) {
        fill_missing(f, "the filesystem reports no size");
        return;
    }
    used = (double)(v->f_blocks - free) * unit;
    available = (double)blocks_of(v->f_bavail, v->f_blocks) * unit;
    f->size_bytes = reading_of((double)v->f_blocks * unit);
    f->free_bytes = reading_of((double)free * unit);
    f->available_bytes = reading_of(available);
    f->usage_percent = used + available > 0 ? reading_of(100.0 * used / (used + available))
                                            : reading_missing("the filesystem reports no size");
    growth_add(growth, now_ns, used);
    f->full_in_seconds =
        f->read_only ? reading_missing("read-only") : growth_seconds_until(growth, available);
    if (v->f_files == 0) {
        f->inodes_total = f->inodes_free = f->inodes_usage_percent =
            reading_missing("the filesystem has no fixed number of inodes");
        return;
    }
    f->inodes_total = reading_of((double)v->f_files);
    if (v->f_ffree > v->f_files) {
        f->inodes_free = f->inodes_usage_percent =
            reading_missing("the filesystem reports more free inodes than it has");
        return;
    }
    f->inodes_free = reading_of((double)v->f_ffree);
    f->inodes_usage_percent =
        reading_of(100.0 * (double)(v->f_files - v->f_ffree) / (double)v->f_files);
}

static void update_usage(struct filesystems *fs, uint64_t now_ns)
{
    struct statvfs v;

    for (size_t i = 0; i < fs->set.count; i++) {
        struct row_state *state = &fs->set.states[i];
        int err = fs->ops.usage(fs->ops.ctx, state->target, state->mount_id, &v);

        if (err)
            fill_missing(&fs->set.rows[i], strerrordesc_np(-err));
        else
            fill_usage(&fs->set.rows[i], &v, now_ns, &state->growth);
    }
}

static const struct growth *find_growth(const struct row_set *set, const struct mount_candidate *c)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->states[i].device == c->device && strcmp(set->states[i].target, c->target) == 0)
            return &set->states[i].growth;
    return NULL;
}

static void add_row(struct filesystems *fs, struct row_set *set, struct mount_candidate *c)
{
    const struct growth *growth = find_growth(&fs->set, c);
    struct row_state *state = &set->states[set->count];
    struct filesystem *row = &set->rows[set->count];

    *state = (struct row_state){.mount_id = c->mount_id, .device = c->device, .target = c->target};
    c->target = NULL;
    if (growth)
        state->growth = *growth;
    *row = (struct filesystem){.read_only = c->read_only};
    scan_copy_string(state->target, row->mount, sizeof(row->mount));
    scan_copy_string(c->source, row->device, sizeof(row->device));
    scan_copy_string(c->type, row->type, sizeof(row->type));
    set->count++;
}

static int choose_rows(struct filesystems *fs, struct mount_choice *choice)
{
    size_t room = choice->count < ROWS_MAX ? choice->count : ROWS_MAX;
    struct row_set set = {.states = calloc(room + 1, sizeof(*set.states)),
                          .rows = calloc(room + 1, sizeof(*set.rows))};
    struct statvfs v;

    if (!set.states || !set.rows) {
        free_set(&set);
        return -ENOMEM;
    }
    for (size_t i = 0; i < choice->count && set.count < room; i++) {
        struct mount_candidate *c = &choice->list[i];
        bool taken = set.count > 0 && set.states[set.count - 1].device == c->device;

        if (!taken && fs->ops.usage(fs->ops.ctx, c->target, c->mount_id, &v) != -ESTALE)
            add_row(fs, &set, c);
    }
    free_set(&fs->set);
    fs->set = set;
    return 0;
}

/* The old rows stay when the new list cannot be read. */
static void read_mounts(struct filesystems *fs)
{
    struct mount_choice choice = {.list = NULL};
    ssize_t len = proc_file_read(&fs->mountinfo, &fs->buffer, &fs->capacity);
    int err = len < 0 ? (int)len : mount_choice_read(&choice, scan_of(fs->buffer, (size_t)len));

    if (!err)
        err = choose_rows(fs, &choice);
    mount_choice_free(&choice);
    /* Mounts seldom change: the text, large on container hosts, is not kept for the next time. */
    free(fs->buffer);
    fs->buffer = NULL;
    fs->capacity = 0;
    fs->read = !err;
    fs->missing = NULL;
    if (err) {
        snprintf(fs->reason, sizeof(fs->reason), "/proc/self/mountinfo: %s", strerror(-err));
        fs->missing = fs->reason;
    } else if (fs->set.count == 0) {
        fs->missing = "no filesystem with storage of its own is mounted";
    }
}

/* The kernel raises POLLPRI and POLLERR on the open mountinfo after each change (proc(5)). */
static bool mounts_changed(const struct filesystems *fs)
{
    struct pollfd p = {.fd = fs->mountinfo.fd, .events = POLLPRI};

    return !fs->read || (poll(&p, 1, 0) > 0 && (p.revents & (POLLPRI | POLLERR)));
}

void filesystems_sample(struct filesystems *fs, uint64_t now_ns, struct disk_snapshot *disk)
{
    if (now_ns >= fs->usage_due_ns) {
        fs->usage_due_ns = now_ns + USAGE_EVERY_NS;
        if (mounts_changed(fs))
            read_mounts(fs);
        update_usage(fs, now_ns);
    }
    disk->missing = fs->missing;
    disk->filesystem_count = fs->set.count;
    disk->filesystems = fs->set.rows;
}

int filesystems_create(struct filesystems **ret, const struct host *host,
                       const struct filesystems_ops *ops)
{
    static const struct filesystems_ops kernel = {.usage = kernel_usage};
    struct filesystems *fs = calloc(1, sizeof(*fs));

    if (!fs)
        return -ENOMEM;
    fs->ops = ops ? *ops : kernel;
    proc_file_open(&fs->mountinfo, host->proc, "self/mountinfo");
    *ret = fs;
    return 0;
}

void filesystems_destroy(struct filesystems *fs)
{
    if (!fs)
        return;
    proc_file_close(&fs->mountinfo);
    free_set(&fs->set);
    free(fs);
}
