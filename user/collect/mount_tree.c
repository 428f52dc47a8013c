#include "collect/mount_tree.h"
#include "base/array.h"
#include <errno.h>
#include <stdlib.h>

/* The kernel's own default limit, fs.mount-max. */
#define NODES_MAX 100000
/* Deeper is no tree but a circle, which only a text that was read while it changed can have. */
#define DEPTH_MAX 256

struct mount_node {
    unsigned id, parent;
    size_t line; /* later lines were mounted later */
    bool may_hang, automounts;
    char *target; /* owned */
};

bool mount_type_may_hang(const char *type)
{
    static const char *const types[] = {
        "nfs",  "nfs4",   "cifs", "smb3",  "smbfs",  "ceph",   "9p",       "afs",      "ncpfs",
        "coda", "lustre", "gfs2", "ocfs2", "autofs", "beegfs", "virtiofs", "orangefs", "pvfs2"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return strncmp(type, "fuse", 4) == 0 && strcmp(type, "fusectl") != 0;
}

bool mount_may_hang(const struct mount_line *m)
{
    return mount_type_may_hang(m->type);
}

static int by_place(const void *a, const void *b)
{
    const struct mount_node *x = a, *y = b;
    int order;

    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    order = strcmp(x->target, y->target);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_id(const void *a, const void *b)
{
    const struct mount_node *const *x = a, *const *y = b;

    return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static int add(struct mount_tree *tree, const struct mount_line *line)
{
    bool ok = ARRAY_GROW(tree->nodes, tree->capacity, tree->count + 1);
    char *target = ok ? strdup(line->target) : NULL;

    if (!target)
        return -ENOMEM;
    tree->nodes[tree->count] = (struct mount_node){.id = line->id,
                                                   .parent = line->parent,
                                                   .line = tree->count,
                                                   .may_hang = mount_may_hang(line),
                                                   .automounts = strcmp(line->type, "autofs") == 0,
                                                   .target = target};
    tree->count++;
    return 0;
}

int mount_tree_read(struct mount_tree *tree, struct scan mountinfo)
{
    struct mount_line line;

    while (tree->count < NODES_MAX && mounts_next(&mountinfo, &line))
        if (add(tree, &line) < 0)
            return -ENOMEM;
    if (tree->count == 0)
        return 0;
    tree->by_id = calloc(tree->count, sizeof(struct mount_node *));
    if (!tree->by_id)
        return -ENOMEM;
    qsort(tree->nodes, tree->count, sizeof(*tree->nodes), by_place);
    for (size_t i = 0; i < tree->count; i++)
        tree->by_id[i] = &tree->nodes[i];
    qsort(tree->by_id, tree->count, sizeof(struct mount_node *), by_id);
    return 0;
}

void mount_tree_free(struct mount_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->nodes[i].target);
    free(tree->nodes);
    free(tree->by_id);
    *tree = (struct mount_tree){.nodes = NULL};
}

static const struct mount_node *find(const struct mount_tree *tree, unsigned id)
{
    const struct mount_node wanted = {.id = id}, *key = &wanted;
    struct mount_node *const *found =
        tree->count ? bsearch(&key, tree->by_id, tree->count, sizeof(struct mount_node *), by_id)
                    : NULL;

    return found ? *found : NULL;
}

/* The mount it is on; NULL for the first. */
static const struct mount_node *on(const struct mount_tree *tree, const struct mount_node *node)
{
    return node->parent == node->id ? NULL : find(tree, node->parent);
}

/* The last of the mounts on `parent` at the first `len` bytes of `path`; NULL without any. */
static const struct mount_node *last_at(const struct mount_tree *tree, unsigned parent,
                                        const char *path, size_t len)
{
    size_t low = 0, high = tree->count;
    const struct mount_node *node;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order;

        node = &tree->nodes[middle];
        order = node->parent != parent ? (node->parent < parent ? -1 : 1)
                                       : strncmp(node->target, path, len);
        if (order < 0 || (order == 0 && !node->target[len]))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    node = &tree->nodes[low - 1];
    return node->parent == parent && strncmp(node->target, path, len) == 0 && !node->target[len]
               ? node
               : NULL;
}

/* Another mount on the same one is met first on the way. */
static bool covered_beside(const struct mount_tree *tree, const struct mount_node *node)
{
    const char *path = node->target;
    const struct mount_node *met;

    for (size_t len = 1; path[len]; len++) {
        if (path[len] != '/' && len > 1)
            continue;
        met = last_at(tree, node->parent, path, len);
        if (met && met->id != met->parent && met != node)
            return true;
    }
    met = last_at(tree, node->parent, path, strlen(path));
    return met && met != node;
}

bool mount_tree_visible(const struct mount_tree *tree, unsigned id)
{
    const struct mount_node *node = find(tree, id);
    const struct mount_node *above =
        node ? last_at(tree, id, node->target, strlen(node->target)) : NULL;

    if (above && above != node)
        return false;
    for (size_t depth = 0; node && depth < DEPTH_MAX; depth++) {
        if (covered_beside(tree, node))
            return false;
        node = on(tree, node);
    }
    return !node;
}

enum mount_way mount_tree_way(const struct mount_tree *tree, unsigned id)
{
    const struct mount_node *node = find(tree, id), *below;
    enum mount_way way = MOUNT_WAY_PLAIN;

    for (size_t depth = 0; node && depth < DEPTH_MAX; depth++, node = below) {
        below = on(tree, node);
        if (!below)
            break;
        if (below->automounts)
            way = MOUNT_WAY_AUTOMOUNT;
        else if (below->may_hang && strcmp(below->target, "/") != 0 &&
                 strcmp(below->target, tree->root) != 0 && strcmp(below->target, node->target) != 0)
            return MOUNT_WAY_SERVER;
    }
    return way;
}

unsigned mount_tree_holder(const struct mount_tree *tree, const char *path)
{
    const struct mount_node *holder = NULL;

    for (size_t i = 0; i < tree->count; i++) {
        const struct mount_node *node = &tree->nodes[i];

        if (mounts_host_name(node->target, path) && mount_tree_visible(tree, node->id) &&
            (!holder || strlen(node->target) > strlen(holder->target)))
            holder = node;
    }
    return holder ? holder->id : 0;
}
