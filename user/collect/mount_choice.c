#include "collect/mount_choice.h"
#include "base/array.h"
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

static bool begins_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Memory that people write files to. Not those by which the system and container runtimes hand
 * credentials, sockets and devices around, of which a host may have thousands. */
static bool is_used_memory(const struct mount_line *m)
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

    if (strcmp(m->type, "tmpfs") != 0 || m->read_only)
        return false;
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (strcmp(m->target, shown[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
        if (begins_with(m->target, private[i]))
            return false;
    return strcmp(m->target, "/dev") != 0 && strcmp(m->target, "/proc") != 0 &&
           begins_with(m->root, "/") && m->root[1] == '\0';
}

static bool is_root(const struct mount_line *m)
{
    return strcmp(m->target, "/") == 0;
}

static int add(struct mount_choice *c, const struct mount_candidate *candidate, const char *target)
{
    void *list = c->list;
    bool ok = array_grow(&list, &c->capacity, c->count + 1, sizeof(*c->list));
    char *copy = ok ? strdup(target) : NULL;

    c->list = list;
    if (!copy)
        return -ENOMEM;
    c->list[c->count] = *candidate;
    c->list[c->count++].target = copy;
    return 0;
}

static int add_line(struct mount_choice *c, const struct mount_line *m, enum mount_way way)
{
    struct mount_candidate candidate = {
        .mount_id = m->id,
        .device = (uint64_t)m->major << 32 | m->minor,
        .whole = strcmp(m->root, "/") == 0,
        .read_only = m->read_only,
        .on_device = has_storage(m),
        .behind_server = mount_may_hang(m),
        .automounted = way == MOUNT_WAY_AUTOMOUNT,
    };

    scan_copy_string(m->source, candidate.source, sizeof(candidate.source));
    scan_copy_string(m->type, candidate.type, sizeof(candidate.type));
    return add(c, &candidate, m->target);
}

static bool is_wanted(const struct mount_line *m)
{
    return is_root(m) || ((has_storage(m) || is_used_memory(m)) && !mount_may_hang(m));
}

static int choose(struct mount_choice *c, const struct mount_tree *tree, struct scan mountinfo)
{
    static const struct mount_candidate no_mount = {.device = NO_DEVICE};
    struct mount_line line;
    bool has_root = false;

    while (mounts_next(&mountinfo, &line)) {
        enum mount_way way;

        if (!is_wanted(&line) || !mount_tree_visible(tree, line.id))
            continue;
        way = mount_tree_way(tree, line.id);
        if (way == MOUNT_WAY_SERVER || (c->count >= CANDIDATES_MAX && !is_root(&line)))
            continue;
        has_root |= is_root(&line);
        if (add_line(c, &line, way))
            return -ENOMEM;
    }
    /* In a chroot the root is a directory of a mount that is not listed. */
    return has_root || tree->count == 0 ? 0 : add(c, &no_mount, "/");
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

int mount_choice_read(struct mount_choice *choice, struct scan mountinfo)
{
    struct mount_tree tree = {.nodes = NULL};
    int err = mount_tree_read(&tree, mountinfo);

    if (!err)
        err = choose(choice, &tree, mountinfo);
    mount_tree_free(&tree);
    if (choice->count > 0)
        qsort(choice->list, choice->count, sizeof(choice->list[0]), by_preference);
    return err;
}

void mount_choice_free(struct mount_choice *choice)
{
    for (size_t i = 0; i < choice->count; i++)
        free(choice->list[i].target);
    free(choice->list);
    *choice = (struct mount_choice){.list = NULL};
}
