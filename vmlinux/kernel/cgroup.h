/* Control groups. */
struct kernfs_node {
    u64 id;
    const char *name;
};

struct cgroup_subsys_state {
    struct cgroup *cgroup;
    struct cgroup_subsys_state *parent;
};

struct cgroup_root;

struct cgroup {
    struct cgroup_subsys_state self;
    struct kernfs_node *kn;
    struct cgroup_root *root;
    int level;
    struct cgroup *ancestors[0]; /* the root first */
};

/* Only the enumerator is used, and its value is relocated: it depends on the kernel's options. */
enum cgroup_subsys_id {
    memory_cgrp_id = 4,
    CGROUP_SUBSYS_COUNT = 14,
};

struct css_set {
    struct cgroup_subsys_state *subsys[CGROUP_SUBSYS_COUNT];
    struct cgroup *dfl_cgrp;
};
