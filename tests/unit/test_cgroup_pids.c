#include "tree.h"

static const char v2_mounts[] = "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
static const char v1_mounts[] = "31 22 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
                                "32 22 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";

static void write_group(struct tree *t, const char *path, const char *max, unsigned current,
                        const char *events_file, unsigned refused)
{
    char name[256], text[64];

    snprintf(name, sizeof(name), "sys/fs/cgroup/%s/pids.max", path);
    tree_write(t, name, max);
    snprintf(name, sizeof(name), "sys/fs/cgroup/%s/pids.current", path);
    snprintf(text, sizeof(text), "%u\n", current);
    tree_write(t, name, text);
    snprintf(name, sizeof(name), "sys/fs/cgroup/%s/%s", path, events_file);
    snprintf(text, sizeof(text), "max %u\n", refused);
    tree_write(t, name, text);
}

static struct tree *v2_tree(void)
{
    struct tree *t = tree_create();

    tree_write(t, "proc/self/mountinfo", v2_mounts);
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "cpu pids\n");
    return t;
}

static const struct cgroup_pids *find(const struct snapshot *s, const char *path)
{
    for (size_t i = 0; i < s->process.cgroup_pids_count; i++)
        if (strcmp(s->process.cgroup_pids[i].path, path) == 0)
            return &s->process.cgroup_pids[i];
    return NULL;
}

static void those_with_a_limit_are_rows_the_fullest_first(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s;

    write_group(t, "a.service", "100\n", 50, "pids.events", 0);
    write_group(t, "b.service", "100\n", 97, "pids.events", 7);
    write_group(t, "free.service", "max\n", 900, "pids.events", 0);
    tree_open(t, &cgroup_pids_collector);
    s = tree_sample(t, 1);
    assert_null(s->process.cgroup_pids_missing);
    assert_int_equal(s->process.cgroup_pids_count, 2);
    assert_string_equal(s->process.cgroup_pids[0].path, "/b.service");
    assert_true(s->process.cgroup_pids[0].usage_percent == 97);
    /* What was refused before the agent came is no news. */
    assert_true(s->process.cgroup_pids[0].refused_total == 0);
    assert_true(s->process.cgroup_pids[0].refused_ns == 0);
    tree_destroy(t);
}

static void a_refused_fork_is_dated_and_comes_first(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s;

    write_group(t, "a.service", "100\n", 50, "pids.events", 3);
    write_group(t, "b.service", "100\n", 97, "pids.events", 0);
    tree_open(t, &cgroup_pids_collector);
    tree_sample(t, 1);
    write_group(t, "a.service", "100\n", 20, "pids.events", 15);
    s = tree_sample(t, 6);
    assert_string_equal(s->process.cgroup_pids[0].path, "/a.service");
    assert_true(s->process.cgroup_pids[0].refused_total == 12);
    assert_int_equal(s->process.cgroup_pids[0].refused_ns, t->now_ns);
    tree_destroy(t);
}

/* Before 6.11 the fork is counted where it was tried, though the limit stands above. */
static void a_limit_above_is_named(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s;

    write_group(t, "user.slice", "100\n", 99, "pids.events", 0);
    write_group(t, "user.slice/deep", "max\n", 98, "pids.events", 0);
    write_group(t, "user.slice/deep/er", "max\n", 98, "pids.events", 0);
    tree_open(t, &cgroup_pids_collector);
    tree_sample(t, 1);
    write_group(t, "user.slice/deep/er", "max\n", 98, "pids.events", 4);
    s = tree_sample(t, 6);
    assert_int_equal(s->process.cgroup_pids_count, 1);
    assert_true(find(s, "/user.slice")->refused_total == 4);
    tree_destroy(t);
}

/* From 6.11 on pids.events is of all below. */
static void the_own_count_is_taken_where_there_is_one(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s;

    write_group(t, "a.slice", "1000\n", 99, "pids.events.local", 0);
    write_group(t, "a.slice", "1000\n", 99, "pids.events", 0);
    write_group(t, "a.slice/b", "50\n", 50, "pids.events.local", 0);
    tree_open(t, &cgroup_pids_collector);
    tree_sample(t, 1);
    write_group(t, "a.slice", "1000\n", 99, "pids.events", 4);
    write_group(t, "a.slice/b", "50\n", 50, "pids.events.local", 4);
    s = tree_sample(t, 6);
    assert_true(find(s, "/a.slice")->refused_total == 0);
    assert_true(find(s, "/a.slice/b")->refused_total == 4);
    tree_destroy(t);
}

static void on_a_hybrid_host_the_old_hierarchy_is_read(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;

    tree_write(t, "proc/self/mountinfo", v1_mounts);
    tree_write(t, "sys/fs/cgroup/unified/cgroup.controllers", "\n");
    write_group(t, "pids/docker/x", "64\n", 64, "pids.events", 1);
    tree_open(t, &cgroup_pids_collector);
    s = tree_sample(t, 1);
    assert_int_equal(s->process.cgroup_pids_count, 1);
    assert_true(find(s, "/docker/x")->usage_percent == 100);
    tree_destroy(t);
}

static void what_is_gone_or_not_there_is_said(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;

    tree_write(t, "proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    tree_open(t, &cgroup_pids_collector);
    s = tree_sample(t, 1);
    assert_string_equal(s->process.cgroup_pids_missing,
                        "no cgroup hierarchy has the pids controller");
    tree_write(t, "proc/self/mountinfo", v2_mounts);
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "pids\n");
    write_group(t, "a", "64\n", 1, "pids.events", 0);
    s = tree_sample(t, 6);
    assert_int_equal(s->process.cgroup_pids_count, 1);
    tree_remove(t, "sys/fs/cgroup/a");
    s = tree_sample(t, 6);
    assert_int_equal(s->process.cgroup_pids_count, 0);
    tree_destroy(t);
}

/* A host of a thousand cgroups: the walk takes a minute, and the worst are rows. */
static void many_cgroups_take_their_time_and_the_worst_are_kept(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s = NULL;

    for (unsigned i = 0; i < 100; i++) {
        char path[32];

        snprintf(path, sizeof(path), "g%u", i);
        write_group(t, path, "100\n", i, "pids.events", 0);
    }
    tree_open(t, &cgroup_pids_collector);
    for (int i = 0; i < 6; i++)
        s = tree_sample(t, 1);
    assert_int_equal(s->process.cgroup_pids_count, CGROUP_PIDS_MAX);
    assert_string_equal(s->process.cgroup_pids[0].path, "/g99");
    assert_string_equal(s->process.cgroup_pids[CGROUP_PIDS_MAX - 1].path, "/g84");
    tree_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_with_a_limit_are_rows_the_fullest_first),
        cmocka_unit_test(a_refused_fork_is_dated_and_comes_first),
        cmocka_unit_test(a_limit_above_is_named),
        cmocka_unit_test(the_own_count_is_taken_where_there_is_one),
        cmocka_unit_test(on_a_hybrid_host_the_old_hierarchy_is_read),
        cmocka_unit_test(what_is_gone_or_not_there_is_said),
        cmocka_unit_test(many_cgroups_take_their_time_and_the_worst_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
