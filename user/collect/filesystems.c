#include "collect/filesystems.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/fitted_name.h"
#include "collect/mount_choice.h"
#include "collect/unseen_disks.h"
#include "model/growth.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A filesystem fills in minutes, not in seconds. */
#define USAGE_EVERY_NS (5 * NS_PER_SECOND)
/* What changes the options of a filesystem may leave no other trace. */
#define MOUNTS_EVERY_NS (60 * NS_PER_SECOND)
/* More than a host has that is not lost anyway; a question to each costs some microseconds. */
#define ROWS_MAX 1024

static const char not_below_root[] =
    "mounted on the host, but not seen below server.host_root: " UNSEEN_DISKS_MEND;

struct row_state {
    struct filesystem_place place;
    uint64_t device;
    char *target; /* the whole path, which the row may have to cut */
    char *path;   /* where it is asked; NULL: nowhere */
    bool behind_server;
    struct filesystem_signs signs;
    struct filesystem_watch watch;
    struct growth growth;
};

struct row_set {
    size_t count;
    struct row_state *states;
    struct filesystem *rows;   /* row i is of state i */
    struct filesystem *ranked; /* copies, what matters most first */
};

struct filesystems {
    struct filesystems_ops ops;
    const struct host *host;
    struct proc_file own_mounts, host_mounts; /* the host's: unless they are the agent's own */
    bool read;                                /* both were read since they changed */
    uint64_t usage_due_ns, mounts_due_ns;
    struct row_set set;
    size_t omitted;
    struct unseen_disks unseen;
    const char *missing;
    char reason[96];
};

static void free_set(struct row_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->states[i].target);
        free(set->states[i].path);
    }
    free(set->states);
    free(set->rows);
    free(set->ranked);
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

static double fullness(const struct filesystem *f)
{
    return reading_known(f->usage_percent) ? f->usage_percent.value : -1;
}

/* The least matters most: the root, then what is written to, then what is on a device. */
static int importance(const char *target, bool read_only, bool on_device)
{
    return strcmp(target, "/") == 0 ? 0 : 1 + 2 * read_only + !on_device;
}

static int by_rank(const void *a, const void *b)
{
    const struct filesystem *x = a, *y = b;
    int order = importance(x->mount, x->read_only && !x->fault, x->on_device) -
                importance(y->mount, y->read_only && !y->fault, y->on_device);

    if (order)
        return order;
    if (fullness(x) != fullness(y))
        return fullness(x) > fullness(y) ? -1 : 1;
    return strcmp(x->mount, y->mount);
}

static bool update_row(struct filesystems *fs, size_t i, uint64_t now_ns)
{
    struct row_state *state = &fs->set.states[i];
    struct filesystem *row = &fs->set.rows[i];
    const struct filesystem_identity identity = {state->target, row->type, state->device};
    const char *unasked = !state->path           ? not_below_root
                          : state->behind_server ? "not asked: it is on a server, which may hang"
                                                 : NULL;
    struct statvfs v = {.f_flag = 0};
    int err = unasked ? 0 : fs->ops.usage(fs->ops.ctx, &state->place, &v);
    bool changed =
        !unasked && filesystem_watch_look(&state->watch, fs->host, &identity, err, v.f_flag);

    filesystem_watch_judge(&state->watch, fs->host, &identity, &state->signs, now_ns, row);
    if (unasked || err)
        fill_missing(row, unasked ? unasked : strerrordesc_np(-err));
    else
        fill_usage(row, &v, now_ns, &state->growth);
    return changed;
}

/* True when a filesystem's options are not what they were. */
static bool update_usage(struct filesystems *fs, uint64_t now_ns)
{
    struct row_set *set = &fs->set;
    bool changed = false;

    for (size_t i = 0; i < set->count; i++)
        changed |= update_row(fs, i, now_ns);
    if (set->count == 0)
        return false;
    memcpy(set->ranked, set->rows, set->count * sizeof(*set->rows));
    qsort(set->ranked, set->count, sizeof(*set->ranked), by_rank);
    return changed;
}

static const struct row_state *find_state(const struct row_set *set,
                                          const struct mount_candidate *c)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->states[i].device == c->device && strcmp(set->states[i].target, c->target) == 0)
            return &set->states[i];
    return NULL;
}

static void add_row(struct filesystems *fs, struct row_set *set, struct mount_candidate *c)
{
    const struct row_state *before = find_state(&fs->set, c);
    struct row_state *state = &set->states[set->count];
    struct filesystem *row = &set->rows[set->count];

    *state = (struct row_state){
        .place = {.path = c->path, .mount_id = c->mount_id, .automounted = c->automounted},
        .device = c->device,
        .target = c->target,
        .path = c->path,
        .behind_server = c->behind_server,
        .signs = c->signs};
    c->target = c->path = NULL;
    if (before) {
        state->growth = before->growth;
        state->watch = before->watch;
    }
    *row = (struct filesystem){.on_device = c->on_device};
    fitted_name(state->target, row->mount, sizeof(row->mount));
    scan_copy_string(c->source, row->device, sizeof(row->device));
    scan_copy_string(c->type, row->type, sizeof(row->type));
    set->count++;
}

static bool is_stale(struct filesystems *fs, const struct mount_candidate *c)
{
    const struct filesystem_place place = {c->path, c->mount_id, c->automounted};
    struct statvfs v;

    return c->path && !c->behind_server && fs->ops.usage(fs->ops.ctx, &place, &v) == -ESTALE;
}

/* One of each device, to the front of the list. */
static size_t keep_one_of_each(struct filesystems *fs, struct mount_choice *choice)
{
    struct mount_candidate swap;
    size_t kept = 0;

    for (size_t i = 0; i < choice->count; i++) {
        struct mount_candidate *c = &choice->list[i];

        if ((kept > 0 && choice->list[kept - 1].device == c->device) || is_stale(fs, c))
            continue;
        swap = choice->list[kept];
        choice->list[kept++] = *c;
        *c = swap;
    }
    return kept;
}

static int by_importance(const void *a, const void *b)
{
    const struct mount_candidate *x = a, *y = b;
    int order = importance(x->target, x->signs.read_only, x->on_device) -
                importance(y->target, y->signs.read_only, y->on_device);

    return order ? order : strcmp(x->target, y->target);
}

static int choose_rows(struct filesystems *fs, struct mount_choice *choice)
{
    size_t kept = keep_one_of_each(fs, choice), room = kept < ROWS_MAX ? kept : ROWS_MAX;
    struct row_set set = {.states = calloc(room + 1, sizeof(*set.states)),
                          .rows = calloc(room + 1, sizeof(*set.rows)),
                          .ranked = calloc(room + 1, sizeof(*set.ranked))};

    if (!set.states || !set.rows || !set.ranked) {
        free_set(&set);
        return -ENOMEM;
    }
    if (kept > 1)
        qsort(choice->list, kept, sizeof(choice->list[0]), by_importance);
    for (size_t i = 0; i < room; i++)
        add_row(fs, &set, &choice->list[i]);
    unseen_disks_begin(&fs->unseen);
    for (size_t i = 0; i < room; i++)
        if (!set.states[i].path)
            unseen_disks_add(&fs->unseen, set.states[i].target);
    free_set(&fs->set);
    fs->set = set;
    fs->omitted = kept - room;
    return 0;
}

/* Mounts seldom change: the text, large on container hosts, is not kept for the next time. */
static int read_choice(struct filesystems *fs, struct mount_choice *choice)
{
    CLEANUP_FREE char *own = NULL, *host = NULL;
    size_t own_bytes = 0, host_bytes = 0;
    ssize_t own_len = proc_file_read(&fs->own_mounts, &own, &own_bytes), host_len = 0;
    struct scan own_list;

    if (own_len < 0)
        return (int)own_len;
    own_list = scan_of(own, (size_t)own_len);
    if (!host_is_own(fs->host))
        host_len = proc_file_read(&fs->host_mounts, &host, &host_bytes);
    /* Without the host's list there are no later mounts, which visibility.c says. */
    if (host_len <= 0)
        return mount_choice_read(choice, own_list, fs->host->root);
    return mount_choice_read_host(choice, scan_of(host, (size_t)host_len), own_list,
                                  fs->host->root);
}

/* The old rows stay when the new list cannot be read. */
static void read_mounts(struct filesystems *fs, uint64_t now_ns)
{
    struct mount_choice choice = {.list = NULL};
    int err = read_choice(fs, &choice);

    if (!err)
        err = choose_rows(fs, &choice);
    mount_choice_free(&choice);
    fs->read = !err;
    fs->mounts_due_ns = now_ns + MOUNTS_EVERY_NS;
    fs->missing = NULL;
    if (err) {
        snprintf(fs->reason, sizeof(fs->reason), "/proc/self/mountinfo: %s", strerror(-err));
        fs->missing = fs->reason;
    } else if (fs->set.count == 0) {
        fs->missing = "no filesystem with storage of its own is mounted";
    }
}

/* The kernel raises POLLPRI and POLLERR on the open mountinfo after each change (proc(5)). A list
 * that is not open (-1) is passed over. */
static bool mounts_changed(const struct filesystems *fs)
{
    struct pollfd p[] = {{.fd = fs->own_mounts.fd, .events = POLLPRI},
                         {.fd = fs->host_mounts.fd, .events = POLLPRI}};

    return !fs->read || (poll(p, sizeof(p) / sizeof(p[0]), 0) > 0 &&
                         ((p[0].revents | p[1].revents) & (POLLPRI | POLLERR)));
}

void filesystems_sample(struct filesystems *fs, uint64_t now_ns, struct disk_snapshot *disk)
{
    if (now_ns >= fs->usage_due_ns) {
        fs->usage_due_ns = now_ns + USAGE_EVERY_NS;
        if (mounts_changed(fs) || now_ns >= fs->mounts_due_ns)
            read_mounts(fs, now_ns);
        if (update_usage(fs, now_ns)) {
            read_mounts(fs, now_ns);
            update_usage(fs, now_ns);
        }
    }
    disk->missing = fs->missing;
    disk->unseen = fs->read ? unseen_disks_say(&fs->unseen) : fs->missing;
    disk->filesystem_count = fs->set.count;
    disk->filesystems = fs->set.ranked;
    disk->filesystems_omitted = fs->omitted;
}

int filesystems_create(struct filesystems **ret, const struct host *host,
                       const struct filesystems_ops *ops)
{
    static const struct filesystems_ops kernel = {.usage = filesystem_usage};
    struct filesystems *fs = calloc(1, sizeof(*fs));

    if (!fs)
        return -ENOMEM;
    fs->ops = ops ? *ops : kernel;
    fs->host = host;
    fs->host_mounts.fd = -1;
    proc_file_open(&fs->own_mounts, host->own_proc, "self/mountinfo");
    if (!host_is_own(host))
        proc_file_open(&fs->host_mounts, host->proc, "1/mountinfo");
    *ret = fs;
    return 0;
}

void filesystems_destroy(struct filesystems *fs)
{
    if (!fs)
        return;
    proc_file_close(&fs->own_mounts);
    proc_file_close(&fs->host_mounts);
    free_set(&fs->set);
    free(fs);
}
