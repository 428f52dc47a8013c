/* What a container does not show is said, and a host that shows everything is not complained of. */
#include "collect/visibility.h"
#include "tree.h"

static void check_seen(const struct host *host, const char *name, bool seen)
{
    struct visibility_part parts[VISIBILITY_PARTS];

    visibility_find(host, parts);
    for (size_t i = 0; i < VISIBILITY_PARTS; i++) {
        if (strcmp(parts[i].name, name) != 0)
            continue;
        assert_int_equal(parts[i].why == NULL, seen);
        return;
    }
    fail_msg("no part is called %s", name);
}

static void link_to(struct tree *t, const char *path, const char *target)
{
    char full[256];

    snprintf(full, sizeof(full), "%s/proc/%s", t->root, path);
    *strrchr(full, '/') = '\0';
    assert_int_equal(dir_create_all(full, 0755), 0);
    full[strlen(full)] = '/';
    unlink(full);
    assert_int_equal(symlink(target, full), 0);
}

static void processes_of_its_own(void **state)
{
    struct tree *t = tree_create();

    check_seen(&t->host, "processes", false);
    tree_write(t, "proc/2/comm", "sleep\n");
    check_seen(&t->host, "processes", false);
    tree_write(t, "proc/2/comm", "kthreadd\n");
    check_seen(&t->host, "processes", true);
    tree_destroy(t);
}

static void cgroups_of_its_own(void **state)
{
    struct tree *t = tree_create();

    check_seen(&t->host, "cgroups", true); /* no hierarchy: its figures say so themselves */
    tree_write(t, "proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    check_seen(&t->host, "cgroups", true);
    tree_write(t, "sys/fs/cgroup/cgroup.type", "domain\n");
    check_seen(&t->host, "cgroups", false);
    tree_destroy(t);
}

/* It is told without the host's processes: a container has its own network mostly with its own
 * processes. */
static void a_network_of_its_own(void **state)
{
    struct tree *t = tree_create();

    check_seen(&t->host, "network", true); /* not to be told */
    tree_write(t, "proc/sys/net/core/somaxconn", "4096\n");
    check_seen(&t->host, "network", false);
    tree_write(t, "proc/sys/net/core/dev_weight", "64\n");
    check_seen(&t->host, "network", true);
    tree_destroy(t);
}

static void a_root_of_its_own(void **state)
{
    struct tree *t = tree_create();

    tree_write(t, "proc/2/comm", "kthreadd\n");
    link_to(t, "1/root", "/");
    check_seen(&t->host, "disks", true);
    link_to(t, "1/root", t->root);
    check_seen(&t->host, "disks", false);
    tree_destroy(t);
}

/* The kernel lists tasks by the agent's own namespace, whatever proc is below the root. */
static void below_a_root_of_its_own(void **state)
{
    struct tree *t = tree_create();
    char own_proc[128];

    snprintf(own_proc, sizeof(own_proc), "%s/own", t->root);
    t->host.root = t->root;
    tree_write(t, "proc/2/comm", "kthreadd\n");
    check_seen(&t->host, "processes", true);
    t->host.own_proc = own_proc;
    check_seen(&t->host, "processes", false);
    tree_write(t, "own/2/comm", "kthreadd\n");
    check_seen(&t->host, "processes", true);

    link_to(t, "1/root", t->root);
    check_seen(&t->host, "disks", false); /* the host's list of mounts cannot be read */
    tree_write(t, "proc/1/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    check_seen(&t->host, "disks", true);
    link_to(t, "1/root", "/");
    check_seen(&t->host, "disks", false);

    tree_write(t, "proc/sys/net/core/somaxconn", "4096\n");
    tree_write(t, "proc/sys/net/core/dev_weight", "64\n");
    check_seen(&t->host, "network", true);
    tree_write(t, "own/sys/net/core/somaxconn", "4096\n");
    check_seen(&t->host, "network", false);
    tree_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_of_its_own),    cmocka_unit_test(cgroups_of_its_own),
        cmocka_unit_test(a_network_of_its_own),    cmocka_unit_test(a_root_of_its_own),
        cmocka_unit_test(below_a_root_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
