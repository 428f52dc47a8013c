/* Which mounts can be seen, and what lies on the way to them. A path is walked from the root: at
 * each mount point into the mount that is on top. */
#ifndef MOONWATCH_COLLECT_MOUNT_TREE_H
#define MOONWATCH_COLLECT_MOUNT_TREE_H

#include "base/mounts.h"

enum mount_way {
    MOUNT_WAY_PLAIN,
    MOUNT_WAY_AUTOMOUNT, /* through one that may wait for its daemon while it unmounts */
    MOUNT_WAY_SERVER,    /* through directories behind a server, which may hang */
};

struct mount_node;

struct mount_tree {
    struct mount_node *nodes; /* by parent, target and age */
    struct mount_node **by_id;
    size_t count, capacity;
    const char *root; /* where the host's tree is: "/" or "/host" */
};

/* A path through one of these, or a question to it, may hang. FUSE over a block device (fuseblk)
 * does too when its daemon does. */
bool mount_may_hang(const struct mount_line *line);
bool mount_type_may_hang(const char *type);

/* Fills a tree that is empty (zeroed but for its root) with every line; 0 or -ENOMEM. */
int mount_tree_read(struct mount_tree *tree, struct scan mountinfo);
void mount_tree_free(struct mount_tree *tree);

/* False when another mount covers it. */
bool mount_tree_visible(const struct mount_tree *tree, unsigned id);
/* What lies before the mount itself; the roots, the agent's and the host's, without which nothing
 * goes, do not count. */
enum mount_way mount_tree_way(const struct mount_tree *tree, unsigned id);
/* The visible mount that a directory of canonical path is in; 0 when it is not listed. */
unsigned mount_tree_holder(const struct mount_tree *tree, const char *path);

#endif
