#include "collect/mount_choice.h"
#include "base/array.h"
#include "base/text.h"
#include "collect/mount_tree.h"
#include <errno.h>
#include <stdlib.h>

/* A host with 1,000 pods has some thousand bind mounts. */
#define CANDIDATES_MAX 8192
#define NO_DEVICE UINT64_MAX

/* Storage without a block device number of its own (major 0). An overlay is storage only where it
 * is the root, in a container: elsewhere the filesystem below it has its own row. */
static bool has_storage(const struct mount_line *m)
{
    static const char *const types[] = {"btrfs", "zfs", "bcachefs", "ubifs"};

    if (m->major != 0)
        return true;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(m->type, types[i]) == 0)
            return true;
    return false;
}

/* Memory that people write files to. Not those by which the system and container runtimes hand
 * credentials, sockets and devices around, of which a host may have thousands. */
static bool is_used_memory(const struct mount_line *m, const char *target)
{
    static const char *const shown[] = {"/run", "/dev/shm"};
    static const char *const private[] = {"/run/",
                                          "/dev/",
                                          "/sys/",
                                          "/proc/",
                                          "/var/lib/docker",
                                          "/var/lib/kubelet",
                                          "/var/lib/rancher",
                                          "/var/lib/contain"};

    if (strcmp(m->type, "tmpfs") != 0 || mounts_option(m->options, "ro"))
        return false;
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (strcmp(target, shown[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
        if (text_begins(target, private[i]))
            return false;
    return strcmp(target, "/dev") != 0 && strcmp(target, "/proc") != 0 &&
           text_begins(m->root, "/") && m->root[1] == '\0';
}

static bool is_root(const char *target)
{
    return strcmp(target, "/") == 0;
}

static int add(struct mount_choice *c, const struct mount_candidate *candidate, const char *target,
               const char *path)
{
    struct mount_candidate *added;

    if (!ARRAY_GROW(c->list, c->capacity, c->count + 1))
        return -ENOMEM;
    added = &c->list[c->count++];
    *added = *candidate;
    added->target = strdup(target);
    added->path = strdup(path);
    return added->target && added->path ? 0 : -ENOMEM;
}

static int add_line(struct mount_choice *c, const struct mount_line *m, const char *target,
                    const char *path, enum mount_way way)
{
    struct mount_candidate candidate = {
        .mount_id = m->id,
        .device = (uint64_t)m->major << 32 | m->minor,
        .whole = strcmp(m->root, "/") == 0,
        .signs = filesystem_signs_read(m->options),
        .on_device = has_storage(m),
        .behind_server = mount_may_hang(m) || way == MOUNT_WAY_SERVER,
        .automounted = way == MOUNT_WAY_AUTOMOUNT,
    };

    scan_copy_string(m->source, candidate.source, sizeof(candidate.source));
    scan_copy_string(m->type, candidate.type, sizeof(candidate.type));
    return add(c, &candidate, target, path);
}

static bool is_wanted(const struct mount_line *m, const char *target)
{
    return is_root(target) || ((has_storage(m) || is_used_memory(m, target)) && !mount_may_hang(m));
}

#define BEHIND_SERVER "it is behind a server, which is never asked since it may hang"
#define NO_STORAGE "it has no storage of its own"
#define SESSION_DIRECTORY "/run/user/"

static const char *why_unwanted(const struct mount_line *m)
{
    if (mount_may_hang(m))
        return BEHIND_SERVER;
    return strcmp(m->type, "tmpfs") == 0
               ? "it is memory by which the system hands files around, or read-only"
               : NO_STORAGE;
}

const char *mount_hidden(struct scan list, const char *root, const char *path)
{
    struct mount_tree tree = {.root = root};
    struct scan lines = list;
    const char *ret = NULL;
    struct mount_line line;

    if (mount_tree_read(&tree, list) == 0) {
        while (mounts_next(&lines, &line)) {
            const char *target = mounts_host_name(root, line.target);

            if (!target || strcmp(target, path) != 0 || !mount_tree_visible(&tree, line.id))
                continue;
            if (!is_wanted(&line, target))
                ret = why_unwanted(&line);
            else if (mount_tree_way(&tree, line.id) == MOUNT_WAY_SERVER)
                ret = BEHIND_SERVER;
        }
    }
    mount_tree_free(&tree);
    if (!ret && text_begins(path, SESSION_DIRECTORY))
        ret = "what is in " SESSION_DIRECTORY " is of one session";
    return ret;
}

const char *mount_type_hidden(const char *type)
{
    static const char *const without[] = {"proc",   "sysfs",   "devtmpfs", "devpts",
                                          "cgroup", "cgroup2", "mqueue",   "debugfs"};

    if (mount_type_may_hang(type))
        return BEHIND_SERVER;
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        if (strcmp(type, without[i]) == 0)
            return NO_STORAGE;
    return NULL;
}

/* In a chroot the root is a directory of a mount that is not listed; the host's tree may be in a
 * directory of one that is. */
static int add_directory(struct mount_choice *c, const struct mount_tree *tree, struct scan list)
{
    static const struct mount_candidate no_mount = {.device = NO_DEVICE};
    unsigned id = mount_tree_holder(tree, tree->root);
    struct mount_line line;

    while (id && mounts_next(&list, &line))
        if (line.id == id)
            return add_line(c, &line, "/", tree->root, mount_tree_way(tree, id));
    return add(c, &no_mount, "/", tree->root);
}

static int choose(struct mount_choice *c, const struct mount_tree *tree, struct scan list)
{
    struct scan lines = list;
    struct mount_line line;
    bool has_root = false;

    while (mounts_next(&lines, &line)) {
        const char *target = mounts_host_name(tree->root, line.target);
        enum mount_way way;

        if (!target || !is_wanted(&line, target) || !mount_tree_visible(tree, line.id))
            continue;
        way = mount_tree_way(tree, line.id);
        if (way == MOUNT_WAY_SERVER || (c->count >= CANDIDATES_MAX && !is_root(target)))
            continue;
        has_root |= is_root(target);
        if (add_line(c, &line, target, line.target, way))
            return -ENOMEM;
    }
    return has_root || tree->count == 0 ? 0 : add_directory(c, tree, list);
}

static int by_preference(const void *a, const void *b)
{
    const struct mount_candidate *x = a, *y = b;
    size_t x_len = strlen(x->target), y_len = strlen(y->target);

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->whole != y->whole)
        return x->whole ? -1 : 1;
    if (x_len != y_len)
        return x_len < y_len ? -1 : 1;
    return strcmp(x->target, y->target);
}

int mount_choice_read(struct mount_choice *choice, struct scan own, const char *root)
{
    struct mount_tree tree = {.root = root};
    int err = mount_tree_read(&tree, own);

    if (!err)
        err = choose(choice, &tree, own);
    mount_tree_free(&tree);
    if (choice->count > 0)
        qsort(choice->list, choice->count, sizeof(choice->list[0]), by_preference);
    return err;
}

static const struct mount_candidate *find_root(const struct mount_choice *choice)
{
    for (size_t i = 0; i < choice->count; i++)
        if (is_root(choice->list[i].target))
            return &choice->list[i];
    return NULL;
}

/* Of the same storage, best at the same place; any says how full it is. */
static const struct mount_candidate *find_way(const struct mount_choice *own,
                                              const struct mount_candidate *wanted)
{
    size_t low = 0, high = own->count;
    const struct mount_candidate *first;

    if (wanted->device == NO_DEVICE)
        return find_root(own);
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (own->list[middle].device < wanted->device)
            low = middle + 1;
        else
            high = middle;
    }
    first = low < own->count && own->list[low].device == wanted->device ? &own->list[low] : NULL;
    for (; low < own->count && own->list[low].device == wanted->device; low++)
        if (strcmp(own->list[low].target, wanted->target) == 0)
            return &own->list[low];
    return first;
}

static int reach(struct mount_choice *choice, const struct mount_choice *own)
{
    for (size_t i = 0; i < choice->count; i++) {
        struct mount_candidate *c = &choice->list[i];
        const struct mount_candidate *way = find_way(own, c);

        free(c->path);
        c->path = way ? strdup(way->path) : NULL;
        if (!way)
            continue;
        if (!c->path)
            return -ENOMEM;
        c->mount_id = way->mount_id;
        c->automounted = way->automounted;
        c->behind_server = way->behind_server;
    }
    return 0;
}

int mount_choice_read_host(struct mount_choice *choice, struct scan host, struct scan own,
                           const char *root)
{
    struct mount_choice seen = {.list = NULL};
    int err = mount_choice_read(&seen, own, root);

    if (!err)
        err = mount_choice_read(choice, host, "/");
    if (!err)
        err = reach(choice, &seen);
    mount_choice_free(&seen);
    return err;
}

void mount_choice_free(struct mount_choice *choice)
{
    for (size_t i = 0; i < choice->count; i++) {
        free(choice->list[i].target);
        free(choice->list[i].path);
    }
    free(choice->list);
    *choice = (struct mount_choice){.list = NULL};
}
