#include "collect/cgroup_walk.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mounts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* /proc/self/mountinfo of a host with 1,000 containers is about 1 MiB. */
#define MOUNTINFO_LIMIT (16u << 20)

/* Directories waiting for their visit; beyond it a subtree is left out of this walk. */
#define WAITING_MAX 65536

struct cgroup_walk {
    struct cgroup_mount mount;
    char **waiting; /* paths, each owned */
    size_t count, capacity;
};

static bool lists(const char *path, const char *controller)
{
    CLEANUP_FREE char *text = NULL;
    struct scan file, list, word;
    size_t len;

    if (file_read_all(path, "cgroup.controllers", 4096, &text, &len))
        return false;
    file = scan_of(text, len);
    if (!scan_line(&file, &list))
        return false;
    while (scan_word(&list, &word))
        if (scan_is(&word, controller))
            return true;
    return false;
}

int cgroup_mount_find(const struct host *host, const char *controller, struct cgroup_mount *ret)
{
    CLEANUP_FREE char *text = NULL;
    struct cgroup_mount found;
    struct mount_line line;
    struct scan file;
    size_t len;
    int err;

    err = file_read_all(host->own_proc, "self/mountinfo", MOUNTINFO_LIMIT, &text, &len);
    if (err)
        return err;
    file = scan_of(text, len);
    while (mounts_next(&file, &line)) {
        if (strcmp(line.type, "cgroup") == 0 && mounts_option(line.options, controller))
            found.version = 1;
        else if (strcmp(line.type, "cgroup2") == 0)
            found.version = 2;
        else
            continue;
        if (!mounts_host_path(host, line.target, found.path, sizeof(found.path)))
            continue;
        /* On hybrid hosts the unified hierarchy is there without the controller. */
        if (found.version == 2 && !lists(found.path, controller))
            continue;
        *ret = found;
        return 0;
    }
    return -ENODEV;
}

int cgroup_walk_create(struct cgroup_walk **ret, const struct cgroup_mount *mount)
{
    struct cgroup_walk *walk = calloc(1, sizeof(*walk));

    if (!walk)
        return -ENOMEM;
    walk->mount = *mount;
    *ret = walk;
    return 0;
}

static void forget(struct cgroup_walk *walk)
{
    while (walk->count > 0)
        free(walk->waiting[--walk->count]);
}

void cgroup_walk_destroy(struct cgroup_walk *walk)
{
    if (!walk)
        return;
    forget(walk);
    free(walk->waiting);
    free(walk);
}

/* Takes `path`, also when there is no room for it. */
static void push(struct cgroup_walk *walk, char *path)
{
    if (path && walk->count < WAITING_MAX &&
        ARRAY_GROW(walk->waiting, walk->capacity, walk->count + 1))
        walk->waiting[walk->count++] = path;
    else
        free(path);
}

void cgroup_walk_start(struct cgroup_walk *walk)
{
    forget(walk);
    push(walk, strdup("/"));
}

static void push_children(struct cgroup_walk *walk, const char *path, DIR *dir)
{
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        char *child;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        if (asprintf(&child, "%s/%s", path[1] ? path : "", entry->d_name) >= 0)
            push(walk, child);
    }
}

static void visit(struct cgroup_walk *walk, const char *path, cgroup_found_fn *fn, void *ctx)
{
    char full[2 * PATH_MAX];
    struct stat st;
    DIR *dir;
    int fd;

    snprintf(full, sizeof(full), "%s%s", walk->mount.path, path);
    fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fn(ctx, path, fd);
    /* Two links: no directories inside. Listing a cgroup's some fifty files costs far more. */
    if (fstat(fd, &st) < 0 || st.st_nlink == 2 || !(dir = fdopendir(fd))) {
        close(fd);
        return;
    }
    push_children(walk, path, dir);
    closedir(dir);
}

bool cgroup_walk_step(struct cgroup_walk *walk, size_t directories, cgroup_found_fn *fn, void *ctx)
{
    while (walk->count > 0 && directories-- > 0) {
        CLEANUP_FREE char *path = walk->waiting[--walk->count];

        visit(walk, path, fn, ctx);
    }
    return walk->count == 0;
}
