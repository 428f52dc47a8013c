/* The host's tree below a directory of a container: it is read there, and named as the host does.
 */
#include "base/host.h"
#include "collect/cgroup_walk.h"
#include "filesystems_fixture.h"

/* PID 1's list. */
static const char host_list[] = "28 1 254:1 / / rw shared:1 - ext4 /dev/vda1 rw\n"
                                "30 28 0:24 / /run rw shared:5 - tmpfs tmpfs rw,size=1k\n"
                                "41 28 8:17 / /srv/my\\040data rw - xfs /dev/sdb1 rw\n"
                                "46 28 0:41 /@home /home rw - btrfs /dev/sdc rw,subvol=/@home\n"
                                "50 28 8:33 / /late rw - ext4 /dev/sdc1 rw\n"
                                "51 28 8:49 / /renamed rw - ext4 /dev/sdd1 rw\n"
                                "52 28 0:60 / /mnt rw - tmpfs tmpfs rw\n"
                                "53 52 8:65 / /mnt/disk rw - ext4 /dev/sde1 rw\n";

/* %s is the root: what came along, what is the container's own, what the host has no more. */
static const char own_list[] =
    "70 1 0:99 / / rw - fuse.fuse-overlayfs overlay rw\n"
    "71 70 254:1 /var/lib/docker/containers/x/hosts /etc/hosts rw - ext4 /dev/vda1 rw\n"
    "72 70 8:81 / /var/lib/moonwatch rw - ext4 /dev/sdf1 rw\n"
    "80 70 254:1 / %1$s rw master:1 - ext4 /dev/vda1 rw\n"
    "81 80 0:24 / %1$s/run rw master:5 - tmpfs tmpfs rw,size=1k\n"
    "82 80 8:17 / %1$s/srv/my\\040data rw - xfs /dev/sdb1 rw\n"
    "83 80 0:41 /@home %1$s/home rw - btrfs /dev/sdc rw,subvol=/@home\n"
    "84 80 8:49 / %1$s/before rw - ext4 /dev/sdd1 rw\n"
    "85 80 0:61 / %1$s/mnt rw - nfs4 server:/export rw\n"
    "86 85 8:65 / %1$s/mnt/disk rw - ext4 /dev/sde1 rw\n"
    "87 80 8:97 / %1$s/unmounted rw - ext4 /dev/sdg1 rw\n";

struct container {
    struct tree *tree;
    char own_proc[80];
    struct filesystems *fs;
    struct disk_snapshot disk;
};

static struct container container_create(void)
{
    struct container c = {.tree = tree_create()};

    c.tree->host.root = c.tree->root;
    snprintf(c.own_proc, sizeof(c.own_proc), "%s/own", c.tree->root);
    return c;
}

static void write_own_list(struct container *c, const char *format)
{
    char text[8192];

    snprintf(text, sizeof(text), format, c->tree->root);
    tree_write(c->tree, "own/self/mountinfo", text);
}

static void look(struct container *c, const char *own, const char *host)
{
    c->tree->host.own_proc = c->own_proc;
    write_own_list(c, own);
    if (host)
        tree_write(c->tree, "proc/1/mountinfo", host);
    asked[0] = '\0';
    assert_int_equal(filesystems_create(&c->fs, &c->tree->host, &ops), 0);
    filesystems_sample(c->fs, c->tree->now_ns, &c->disk);
    assert_null(c->disk.missing);
}

static void end(struct container *c)
{
    done(c->tree, c->fs);
}

static bool was_asked(const struct container *c, const char *path)
{
    char whole[256];

    snprintf(whole, sizeof(whole), "%s%s ", c->tree->root, path);
    return strstr(asked, whole) != NULL;
}

static void assert_measured(const struct container *c, const char *mount, const char *device)
{
    const struct filesystem *f = find(&c->disk, mount);

    if (!f)
        fail_msg("no row for %s", mount);
    assert_known(f->size_bytes, 4096000);
    assert_string_equal(f->device, device);
}

static void rows_have_the_names_of_the_host(void **state)
{
    struct container c = container_create();

    look(&c, own_list, host_list);
    assert_measured(&c, "/", "/dev/vda1");
    assert_measured(&c, "/run", "tmpfs");
    assert_measured(&c, "/srv/my data", "/dev/sdb1");
    assert_measured(&c, "/home", "/dev/sdc");
    assert_true(was_asked(&c, ""));
    assert_true(was_asked(&c, "/srv/my data"));
    assert_string_equal(c.disk.filesystems[0].mount, "/");
    /* Nothing of the container's own, and nothing that the host has no more. */
    assert_int_equal(c.disk.filesystem_count, 8);
    end(&c);
}

/* What is at the path below the root is then another filesystem. */
static void a_mount_that_did_not_come_along_is_unknown(void **state)
{
    struct container c = container_create();

    look(&c, own_list, host_list);
    assert_missing(find(&c.disk, "/late")->usage_percent, "server.host_root");
    assert_missing(find(&c.disk, "/mnt")->size_bytes, "rslave");
    assert_false(was_asked(&c, "/late"));
    /* A server of the container's own view is in the way, which may hang. */
    assert_missing(find(&c.disk, "/mnt/disk")->usage_percent, "server.host_root");
    assert_false(was_asked(&c, "/mnt/disk"));
    end(&c);
}

static void another_mount_of_the_device_will_do(void **state)
{
    struct container c = container_create();

    look(&c, own_list, host_list);
    assert_measured(&c, "/renamed", "/dev/sdd1");
    assert_true(was_asked(&c, "/before"));
    end(&c);
}

static void without_the_hosts_list_the_own_one_will_do(void **state)
{
    struct container c = container_create();

    look(&c, own_list, NULL);
    assert_measured(&c, "/", "/dev/vda1");
    assert_measured(&c, "/before", "/dev/sdd1");
    assert_measured(&c, "/unmounted", "/dev/sdg1");
    assert_null(find(&c.disk, "/etc/hosts"));
    assert_null(find(&c.disk, "/var/lib/moonwatch"));
    assert_int_equal(c.disk.filesystem_count, 6);
    end(&c);
}

/* No mount of its own: the one that the directory is in decides. */
static void a_root_in_a_directory(void **state)
{
    static const char same[] = "70 1 254:1 / / rw - ext4 /dev/vda1 rw\n";
    static const char other[] = "70 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                "71 70 0:9 / /tmp rw - tmpfs tmpfs rw\n";
    struct container c = container_create();

    look(&c, same, "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    assert_measured(&c, "/", "/dev/vda1");
    assert_true(was_asked(&c, ""));
    end(&c);
    c = container_create();
    look(&c, other, "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    assert_missing(find(&c.disk, "/")->usage_percent, "server.host_root");
    assert_string_equal(asked, "");
    end(&c);
}

static void cgroups_of_the_host_are_walked(void **state)
{
    struct container c = container_create();
    struct cgroup_mount mount;
    char wanted[128];

    c.tree->host.own_proc = c.own_proc;
    snprintf(wanted, sizeof(wanted), "%s/sys/fs/cgroup", c.tree->root);
    tree_write(c.tree, "sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
    write_own_list(&c, "60 1 0:25 / /sys/fs/cgroup rw - cgroup cgroup rw,pids\n"
                       "61 1 0:26 / %s/sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    assert_int_equal(cgroup_mount_find(&c.tree->host, "pids", &mount), 0);
    assert_string_equal(mount.path, wanted);
    write_own_list(&c, "60 1 0:25 / /sys/fs/cgroup rw - cgroup cgroup rw,pids\n");
    assert_int_equal(cgroup_mount_find(&c.tree->host, "pids", &mount), -ENODEV);
    tree_destroy(c.tree);
}

/* proc/net is of whoever reads it: the host's is that of its first process. */
static void the_network_of_the_host_is_read(void **state)
{
    struct container c = container_create();
    static const char dev[] = "Inter-|   Receive\n face |bytes\n"
                              "%s: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n";
    char text[256];

    snprintf(text, sizeof(text), dev, "veth");
    tree_write(c.tree, "proc/net/dev", text);
    snprintf(text, sizeof(text), dev, "eth0");
    tree_write(c.tree, "proc/1/net/dev", text);
    tree_open(c.tree, &network_collector);
    tree_sample(c.tree, 1);
    assert_int_equal(c.tree->snapshot.network.interface_count, 1);
    assert_string_equal(c.tree->snapshot.network.interfaces[0].name, "eth0");
    tree_destroy(c.tree);
}

static void paths_below_the_root(void **state)
{
    assert_string_equal(mounts_host_name("/", "/var"), "/var");
    assert_string_equal(mounts_host_name("/host", "/host"), "/");
    assert_string_equal(mounts_host_name("/host", "/host/var"), "/var");
    assert_null(mounts_host_name("/host", "/hostile"));
    assert_null(mounts_host_name("/host", "/"));
}

static void assert_root(const char *root, const char *canonical)
{
    char error[HOST_ERROR_BYTES] = "";
    struct host *host;

    assert_int_equal(host_create(&host, root, error), 0);
    assert_string_equal(host->root, canonical);
    assert_string_equal(host->proc, "/proc");
    assert_string_equal(host->sys, "/sys");
    assert_true(host_is_own(host));
    host_destroy(host);
}

static void a_root_is_made_canonical(void **state)
{
    char link[] = "/tmp/moonwatch-root-XXXXXX", error[HOST_ERROR_BYTES] = "";
    struct host *host = NULL;

    assert_root("/", "/");
    assert_root("//", "/");
    assert_non_null(mkdtemp(link));
    /* No host's tree. */
    assert_int_equal(host_create(&host, link, error), -EINVAL);
    assert_non_null(strstr(error, link));
    assert_non_null(strstr(error, "/proc: bind the host's tree"));
    assert_null(host);
    assert_int_equal(rmdir(link), 0);
    assert_int_equal(host_create(&host, link, error), -ENOENT);
    assert_int_equal(symlink("/", link), 0);
    assert_root(link, "/");
    unlink(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_the_names_of_the_host),
        cmocka_unit_test(a_mount_that_did_not_come_along_is_unknown),
        cmocka_unit_test(another_mount_of_the_device_will_do),
        cmocka_unit_test(without_the_hosts_list_the_own_one_will_do),
        cmocka_unit_test(a_root_in_a_directory),
        cmocka_unit_test(cgroups_of_the_host_are_walked),
        cmocka_unit_test(the_network_of_the_host_is_read),
        cmocka_unit_test(paths_below_the_root),
        cmocka_unit_test(a_root_is_made_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
