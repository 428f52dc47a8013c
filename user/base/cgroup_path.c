#include "base/cgroup_path.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* /proc/self/mountinfo of a host with 1,000 containers is about 1 MiB. */
#define MOUNTINFO_LIMIT (16u << 20)
#define MOUNT_RETRY_NS (10 * NS_PER_SECOND)
#define ENTRIES_FIRST 64
#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h */

struct entry {
    uint64_t id; /* 0: free */
    uint64_t checked_ns;
    uint64_t found_ns; /* last time that it was there */
    char *path;        /* NULL: not found */
};

struct cgroup_paths {
    struct host host;
    enum cgroup_hierarchy hierarchy;
    int mount_fd; /* -1: not mounted */
    uint64_t mount_tried_ns;
    char mount[PATH_MAX];
    const char *missing;
    struct entry *entries; /* open addressing by id */
    size_t used, mask;
};

static bool lists_memory(const char *mount)
{
    CLEANUP_FREE char *text = NULL;
    struct scan list, word;
    size_t len;

    if (file_read_all(mount, "cgroup.controllers", 4096, &text, &len))
        return false;
    list = scan_of(text, strcspn(text, "\n"));
    while (scan_word(&list, &word))
        if (scan_is(&word, "memory"))
            return true;
    return false;
}

static bool is_wanted(const struct cgroup_paths *p, const struct mount_line *line,
                      const char *target)
{
    bool unified = strcmp(line->type, "cgroup2") == 0;

    if (p->hierarchy == CGROUP_UNIFIED)
        return unified;
    /* On hybrid hosts the unified hierarchy is there without the controller. */
    return unified ? lists_memory(target)
                   : strcmp(line->type, "cgroup") == 0 && mounts_option(line->options, "memory");
}

static int find_mount(struct cgroup_paths *p)
{
    CLEANUP_FREE struct mount_line *line = malloc(sizeof(*line));
    CLEANUP_FREE char *text = NULL;
    char target[PATH_MAX];
    struct scan file;
    size_t len;
    int err;

    if (!line)
        return -ENOMEM;
    err = file_read_all(p->host.own_proc, "self/mountinfo", MOUNTINFO_LIMIT, &text, &len);
    if (err)
        return err;
    file = scan_of(text, len);
    while (mounts_next(&file, line)) {
        if (!mounts_host_path(&p->host, line->target, target, sizeof(target)) ||
            !is_wanted(p, line, target))
            continue;
        p->mount_fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (p->mount_fd < 0)
            return -errno;
        snprintf(p->mount, sizeof(p->mount), "%s", target);
        return 0;
    }
    return -ENOENT;
}

static void open_mount(struct cgroup_paths *p, uint64_t now_ns)
{
    int err;

    if (p->mount_fd >= 0 || (p->mount_tried_ns && now_ns - p->mount_tried_ns < MOUNT_RETRY_NS))
        return;
    p->mount_tried_ns = now_ns;
    err = find_mount(p);
    p->missing = !err             ? NULL
                 : err == -ENOENT ? "the cgroup hierarchy is not mounted"
                                  : "the mount of the cgroup hierarchy could not be opened";
}

int cgroup_paths_create(struct cgroup_paths **ret, const struct host *host,
                        enum cgroup_hierarchy hierarchy)
{
    struct cgroup_paths *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->entries = calloc(ENTRIES_FIRST, sizeof(*p->entries));
    if (!p->entries) {
        free(p);
        return -ENOMEM;
    }
    p->host = *host;
    p->hierarchy = hierarchy;
    p->mount_fd = -1;
    p->mask = ENTRIES_FIRST - 1;
    p->missing = "the cgroup hierarchy was not looked for yet";
    *ret = p;
    return 0;
}

void cgroup_paths_destroy(struct cgroup_paths *p)
{
    if (!p)
        return;
    if (p->mount_fd >= 0)
        close(p->mount_fd);
    for (size_t i = 0; i <= p->mask; i++)
        free(p->entries[i].path);
    free(p->entries);
    free(p);
}

/* The entry of the id, or the free place for it. */
static struct entry *slot_of(struct entry *entries, size_t mask, uint64_t id)
{
    /* Ids of one host differ mostly in their low bits. */
    size_t at = (size_t)(id * 0x9e3779b97f4a7c15ULL >> 32) & mask;

    while (entries[at].id && entries[at].id != id)
        at = (at + 1) & mask;
    return &entries[at];
}

static bool is_forgotten(const struct entry *e, uint64_t now_ns)
{
    return e->checked_ns > e->found_ns && now_ns - e->found_ns > CGROUP_PATH_GONE_NS;
}

/* Makes room for one more, leaving out what is long gone. */
static int rehash(struct cgroup_paths *p, uint64_t now_ns)
{
    size_t kept = 0, size = p->mask + 1;
    struct entry *entries;

    for (size_t i = 0; i <= p->mask; i++)
        kept += p->entries[i].id && !is_forgotten(&p->entries[i], now_ns);
    while (2 * (kept + 1) > size)
        size *= 2;
    entries = calloc(size, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i <= p->mask; i++) {
        struct entry *e = &p->entries[i];

        if (e->id && !is_forgotten(e, now_ns))
            *slot_of(entries, size - 1, e->id) = *e;
        else
            free(e->path);
    }
    free(p->entries);
    p->entries = entries;
    p->mask = size - 1;
    p->used = kept;
    return 0;
}

/* 0 or a negative errno: -ESTALE when there is no such cgroup. */
static int read_path(const struct cgroup_paths *p, uint64_t id, char path[PATH_MAX])
{
    union {
        struct file_handle handle;
        char bytes[sizeof(struct file_handle) + sizeof(id)];
    } u = {.handle = {.handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS}};
    char link[64], target[PATH_MAX];
    size_t prefix = strlen(p->mount);
    CLEANUP_CLOSE int fd = -1;
    ssize_t len;

    memcpy(u.handle.f_handle, &id, sizeof(id));
    fd = open_by_handle_at(p->mount_fd, &u.handle, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, target, sizeof(target) - 1);
    if (len < 0)
        return -errno;
    target[len] = '\0';
    /* A cgroup that is just being removed is shown as "... (deleted)" or outside of the mount. */
    if (strncmp(target, p->mount, prefix) != 0 || (target[prefix] && target[prefix] != '/') ||
        access(target, F_OK) < 0)
        return -ESTALE;
    snprintf(path, PATH_MAX, "%s", target[prefix] ? target + prefix : "/");
    return 0;
}

static void look_up(struct cgroup_paths *p, struct entry *e, uint64_t now_ns)
{
    char path[PATH_MAX];
    int err;

    e->checked_ns = now_ns;
    if (p->mount_fd < 0)
        return;
    err = read_path(p, e->id, path);
    p->missing = err == -EPERM ? "resolving a cgroup's id needs CAP_DAC_READ_SEARCH" : NULL;
    if (err)
        return;
    e->found_ns = now_ns;
    if (e->path && strcmp(e->path, path) == 0)
        return;
    free(e->path);
    e->path = strdup(path);
}

struct cgroup_name cgroup_paths_find(struct cgroup_paths *p, uint64_t id, uint64_t now_ns)
{
    struct entry *e;

    open_mount(p, now_ns);
    if (id == 0)
        return (struct cgroup_name){.gone = true};
    e = slot_of(p->entries, p->mask, id);
    if (!e->id) {
        if (2 * (p->used + 1) > p->mask + 1 && rehash(p, now_ns) < 0)
            return (struct cgroup_name){.gone = true};
        e = slot_of(p->entries, p->mask, id);
        e->id = id;
        p->used++;
        look_up(p, e, now_ns);
    } else if (now_ns - e->checked_ns >= CGROUP_PATH_FRESH_NS) {
        look_up(p, e, now_ns);
    }
    if (e->path && is_forgotten(e, now_ns)) {
        free(e->path);
        e->path = NULL;
    }
    return (struct cgroup_name){.path = e->path, .gone = e->checked_ns > e->found_ns};
}

const char *cgroup_paths_mount(struct cgroup_paths *paths, uint64_t now_ns)
{
    open_mount(paths, now_ns);
    return paths->mount_fd >= 0 ? paths->mount : NULL;
}

const char *cgroup_paths_missing(const struct cgroup_paths *paths)
{
    return paths->missing;
}
