#include "base/path_watch.h"
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MOVES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)

/* A part of a path, in the directory that it is to be in. */
struct part {
    int directory; /* watch descriptor */
    const char *name;
    size_t len;
};

struct path_watch {
    path_watch_fn *moved;
    void *ctx;
    int fd;
    struct loop_source *source;
    char *root;
    char **paths;
    size_t path_count;
    struct part *parts; /* room for those of all paths */
    size_t part_count;
    int directories[PATH_WATCH_DIRECTORIES_MAX];
    size_t directory_count;
};

static bool is_among(const int *directories, size_t count, int directory)
{
    for (size_t i = 0; i < count; i++)
        if (directories[i] == directory)
            return true;
    return false;
}

/* Watches the directory; -1: it is missing, or there is no more room. Again the same descriptor for
 * a directory that is watched already. */
static int watch(struct path_watch *w, const char *directory)
{
    int wd = inotify_add_watch(w->fd, directory, MOVES);

    if (wd < 0 || is_among(w->directories, w->directory_count, wd))
        return wd;
    if (w->directory_count == PATH_WATCH_DIRECTORIES_MAX) {
        inotify_rm_watch(w->fd, wd);
        return -1;
    }
    w->directories[w->directory_count++] = wd;
    return wd;
}

/* Each directory is watched before its child is looked for: what is made meanwhile is told. */
static void follow(struct path_watch *w, const char *path)
{
    char directory[PATH_MAX];
    size_t len = strlen(w->root);

    if (len + strlen(path) >= sizeof(directory))
        return;
    snprintf(directory, sizeof(directory), "%s", w->root);
    for (const char *name = path + strspn(path, "/"); *name;) {
        struct part part = {
            .directory = watch(w, directory), .name = name, .len = strcspn(name, "/")};

        if (part.directory < 0)
            return;
        w->parts[w->part_count++] = part;
        len += (size_t)snprintf(directory + len, sizeof(directory) - len, "/%.*s", (int)part.len,
                                name);
        name += part.len;
        name += strspn(name, "/");
    }
}

static void follow_all(struct path_watch *w)
{
    int before[PATH_WATCH_DIRECTORIES_MAX];
    size_t count = w->directory_count;

    memcpy(before, w->directories, sizeof(before));
    w->directory_count = 0;
    w->part_count = 0;
    for (size_t i = 0; i < w->path_count; i++)
        follow(w, w->paths[i]);
    /* A directory of cgroups that was removed keeps its watch. */
    for (size_t i = 0; i < count; i++)
        if (!is_among(w->directories, w->directory_count, before[i]))
            inotify_rm_watch(w->fd, before[i]);
}

static bool concerns(const struct path_watch *w, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    for (size_t i = 0; i < w->part_count; i++) {
        const struct part *part = &w->parts[i];

        /* Without a name the directory itself is gone. */
        if (part->directory == event->wd &&
            (!event->len ||
             (strncmp(event->name, part->name, part->len) == 0 && !event->name[part->len])))
            return true;
    }
    return false;
}

static void on_events(void *ctx, uint32_t epoll_events)
{
    _Alignas(struct inotify_event) char buffer[4096];
    struct path_watch *w = ctx;
    bool moved = false;
    ssize_t len;

    (void)epoll_events;
    while ((len = read(w->fd, buffer, sizeof(buffer))) > 0) {
        const struct inotify_event *event;

        for (const char *at = buffer; at < buffer + len; at += sizeof(*event) + event->len) {
            event = (const void *)at;
            moved = moved || concerns(w, event);
        }
    }
    if (!moved)
        return;
    follow_all(w);
    w->moved(w->ctx);
}

int path_watch_create(struct path_watch **ret, struct loop *loop, path_watch_fn *moved, void *ctx)
{
    struct path_watch *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return -ENOMEM;
    w->moved = moved;
    w->ctx = ctx;
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    r = w->fd < 0 ? -errno : loop_add_fd(loop, &w->source, w->fd, EPOLLIN, on_events, w);
    if (r < 0) {
        path_watch_destroy(w);
        return r;
    }
    *ret = w;
    return 0;
}

static void forget(struct path_watch *w)
{
    for (size_t i = 0; i < w->path_count; i++)
        free(w->paths[i]);
    free(w->paths);
    free(w->parts);
    free(w->root);
    w->paths = NULL;
    w->parts = NULL;
    w->root = NULL;
    w->path_count = w->part_count = 0;
}

void path_watch_destroy(struct path_watch *w)
{
    if (!w)
        return;
    loop_remove(w->source);
    if (w->fd >= 0)
        close(w->fd);
    forget(w);
    free(w);
}

static size_t parts_of(const char *path)
{
    size_t parts = 0;

    for (; *path; path++)
        parts += path[0] == '/' && path[1] && path[1] != '/';
    return parts;
}

static int take(struct path_watch *w, const char *root, const char *const *paths, size_t count)
{
    size_t parts = 0;

    w->root = strdup(root);
    w->paths = calloc(count + 1, sizeof(*w->paths));
    if (!w->root || !w->paths)
        return -ENOMEM;
    for (; w->path_count < count; w->path_count++) {
        w->paths[w->path_count] = strdup(paths[w->path_count]);
        if (!w->paths[w->path_count])
            return -ENOMEM;
        parts += parts_of(paths[w->path_count]) + 1;
    }
    w->parts = calloc(parts + 1, sizeof(*w->parts));
    return w->parts ? 0 : -ENOMEM;
}

int path_watch_set(struct path_watch *w, const char *root, const char *const *paths, size_t count)
{
    int r;

    forget(w);
    r = take(w, root, paths, count);
    if (r < 0)
        forget(w);
    follow_all(w);
    return r;
}

size_t path_watch_directories(const struct path_watch *w)
{
    return w->directory_count;
}
