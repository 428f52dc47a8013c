#include "tree.h"

static const char v2_mounts[] =
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v1_mounts[] =
    "31 22 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "32 22 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "33 22 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

static struct tree *v2_tree(void)
{
    struct tree *t = tree_create();

    tree_write(t, "proc/self/mountinfo", v2_mounts);
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory\n");
    tree_write(t, "sys/fs/cgroup/a.slice/cpu.max", "max 100000\n");
    tree_write(t, "sys/fs/cgroup/a.slice/b.service/cpu.max", "50000 100000\n");
    tree_write(t, "sys/fs/cgroup/a.slice/b.service/cpu.stat",
               "usage_usec 9\nnr_periods 100\nnr_throttled 10\nthrottled_usec 2500000\n");
    tree_write(t, "sys/fs/cgroup/a.slice/b.service/deep/er/cpu.max", "1000 100000\n");
    tree_write(t, "sys/fs/cgroup/a.slice/b.service/deep/er/cpu.stat",
               "nr_periods 1\nnr_throttled 0\nthrottled_usec 0\n");
    return t;
}

static const struct cpu_throttle *find(const struct throttle_snapshot *s, const char *path)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].path, path) == 0)
            return &s->rows[i];
    return NULL;
}

static void test_v2(void **state)
{
    struct tree *t = v2_tree();
    const struct throttle_snapshot *s;
    const struct cpu_throttle *row;

    tree_open(t, &throttle_collector);
    s = &tree_sample(t, 1)->throttle;
    assert_null(s->missing);
    assert_int_equal(s->version, 2);
    assert_int_equal(s->count, 2);
    row = find(s, "/a.slice/b.service");
    assert_non_null(row);
    assert_true(row->periods_total == 100 && row->throttled_periods_total == 10);
    assert_true(row->throttled_seconds_total == 2.5);
    assert_missing(row->throttled_percent, "two samples");
    assert_non_null(find(s, "/a.slice/b.service/deep/er"));

    tree_write(t, "sys/fs/cgroup/a.slice/b.service/cpu.stat",
               "usage_usec 9\nnr_periods 110\nnr_throttled 13\nthrottled_usec 2600000\n");
    s = &tree_sample(t, 1)->throttle;
    assert_known(find(s, "/a.slice/b.service")->throttled_percent, 30);
    assert_missing(find(s, "/a.slice/b.service/deep/er")->throttled_percent, "idle");
    tree_destroy(t);
}

/* A hybrid host: the unified hierarchy is mounted, the controller is on v1. */
static void test_v1_on_a_hybrid_host(void **state)
{
    struct tree *t = tree_create();
    const struct throttle_snapshot *s;

    tree_write(t, "proc/self/mountinfo", v1_mounts);
    tree_write(t, "sys/fs/cgroup/unified/cgroup.controllers", "\n");
    tree_write(t, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    tree_write(t, "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "20000\n");
    tree_write(t, "sys/fs/cgroup/cpu,cpuacct/job/cpu.stat",
               "nr_periods 4\nnr_throttled 2\nthrottled_time 1500000000\n");
    tree_open(t, &throttle_collector);
    s = &tree_sample(t, 1)->throttle;
    assert_int_equal(s->version, 1);
    assert_int_equal(s->count, 1);
    assert_true(find(s, "/job")->throttled_seconds_total == 1.5);
    tree_destroy(t);
}

static void test_groups_come_and_go(void **state)
{
    struct tree *t = v2_tree();
    const struct throttle_snapshot *s;

    tree_open(t, &throttle_collector);
    assert_int_equal(tree_sample(t, 1)->throttle.count, 2);
    tree_write(t, "sys/fs/cgroup/new/cpu.max", "70000 100000\n");
    tree_write(t, "sys/fs/cgroup/new/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
    tree_write(t, "sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n");
    assert_int_equal(tree_sample(t, 10)->throttle.count, 2);
    s = &tree_sample(t, 25)->throttle;
    assert_int_equal(s->count, 2);
    assert_non_null(find(s, "/new"));
    assert_null(find(s, "/a.slice/b.service"));
    tree_destroy(t);
}

/* More directories than one tick visits, and more quotas than there are rows. */
static void test_walk_is_spread_and_bounded(void **state)
{
    struct tree *t = tree_create();
    char path[128];
    size_t count = 0;
    int ticks = 0;

    tree_write(t, "proc/self/mountinfo", v2_mounts);
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "cpu\n");
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "sys/fs/cgroup/g%d/cpu.max", i);
        tree_write(t, path, "1000 100000\n");
        snprintf(path, sizeof(path), "sys/fs/cgroup/g%d/cpu.stat", i);
        tree_write(t, path, "nr_periods 1\nnr_throttled 0\nthrottled_usec 0\n");
    }
    tree_open(t, &throttle_collector);
    while (count < 256 && ticks++ < 30)
        count = tree_sample(t, 1)->throttle.count;
    assert_int_equal(count, 256);
    assert_true(ticks > 1);
    assert_int_equal(tree_sample(t, 1)->throttle.count, 256);
    tree_destroy(t);
}

static void test_without_the_controller(void **state)
{
    struct tree *t = tree_create();
    const struct throttle_snapshot *s;

    tree_open(t, &throttle_collector);
    s = &tree_sample(t, 1)->throttle;
    assert_int_equal(s->count, 0);
    assert_non_null(strstr(s->missing, "/proc/self/mountinfo: No such file"));
    tree_write(t, "proc/self/mountinfo", v2_mounts);
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "memory cpuset\n");
    s = &tree_sample(t, 31)->throttle;
    assert_string_equal(s->missing, "no cgroup hierarchy has the cpu controller");
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "memory cpu\n");
    assert_null(tree_sample(t, 31)->throttle.missing);
    tree_destroy(t);
}

static void test_garbled_group(void **state)
{
    struct tree *t = v2_tree();

    tree_open(t, &throttle_collector);
    assert_int_equal(tree_sample(t, 1)->throttle.count, 2);
    tree_write(t, "sys/fs/cgroup/a.slice/b.service/cpu.stat", "nr_periods x\nnr_throttled 3\n");
    assert_int_equal(tree_sample(t, 1)->throttle.count, 1);
    tree_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v2),
        cmocka_unit_test(test_v1_on_a_hybrid_host),
        cmocka_unit_test(test_groups_come_and_go),
        cmocka_unit_test(test_walk_is_spread_and_bounded),
        cmocka_unit_test(test_without_the_controller),
        cmocka_unit_test(test_garbled_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
