#include "tree.h"

static const char v2_mounts[] = "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
static const char hybrid_mounts[] =
    "31 22 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "32 22 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "33 22 0:29 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n";

static void use_v2(struct tree *t, const char *path, double seconds)
{
    char name[256], text[128];

    snprintf(name, sizeof(name), "sys/fs/cgroup/%s/cpu.stat", path);
    snprintf(text, sizeof(text), "usage_usec %.0f\nuser_usec 1\nsystem_usec 1\n", seconds * 1e6);
    tree_write(t, name, text);
}

static void use_v1(struct tree *t, const char *path, double seconds)
{
    char name[256], text[64];

    snprintf(name, sizeof(name), "sys/fs/cgroup/cpuacct/%s/cpuacct.usage", path);
    snprintf(text, sizeof(text), "%.0f\n", seconds * 1e9);
    tree_write(t, name, text);
}

static struct tree *v2_tree(void)
{
    struct tree *t = tree_create();

    tree_write(t, "proc/self/mountinfo", v2_mounts);
    tree_write(t, "sys/fs/cgroup/cgroup.controllers", "cpu pids\n");
    return t;
}

static void assert_row(const struct snapshot *s, size_t i, const char *path, double percent)
{
    assert_true(i < s->cgroup_cpu.count);
    assert_string_equal(s->cgroup_cpu.rows[i].path, path);
    assert_true(fabs(s->cgroup_cpu.rows[i].cpu_percent - percent) < 1e-6);
}

/* What was used before the agent came is of former times. */
static void shares_are_of_the_interval_and_without_those_below(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s;

    (void)state;
    use_v2(t, "", 9000);
    use_v2(t, "user.slice", 7200);
    use_v2(t, "user.slice/deep", 7000);
    use_v2(t, "a.service", 10);
    tree_open(t, &cgroup_cpu_collector);
    s = tree_sample(t, 1);
    assert_string_equal(s->cgroup_cpu.missing, "not every cgroup was read twice yet");
    assert_int_equal(s->cgroup_cpu.count, 0);
    use_v2(t, "", 9010);
    use_v2(t, "user.slice", 7202.5);
    use_v2(t, "user.slice/deep", 7002);
    use_v2(t, "a.service", 11);
    s = tree_sample(t, 5);
    assert_null(s->cgroup_cpu.missing);
    assert_int_equal(s->cgroup_cpu.count, 3);
    assert_row(s, 0, "/user.slice/deep", 40);
    assert_row(s, 1, "/a.service", 20);
    assert_row(s, 2, "/user.slice", 10);
    s = tree_sample(t, 5);
    assert_int_equal(s->cgroup_cpu.count, 0);
    tree_destroy(t);
}

/* A job of a few seconds is a cgroup of its own; when it is gone its parent has what it used. */
static void what_comes_and_goes_is_counted(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s;

    (void)state;
    use_v2(t, "ci.slice", 100);
    tree_open(t, &cgroup_cpu_collector);
    tree_sample(t, 1);
    use_v2(t, "ci.slice", 103);
    use_v2(t, "ci.slice/job-1", 3);
    s = tree_sample(t, 5);
    assert_int_equal(s->cgroup_cpu.count, 1);
    assert_row(s, 0, "/ci.slice/job-1", 60);
    tree_remove(t, "sys/fs/cgroup/ci.slice/job-1");
    use_v2(t, "ci.slice", 104);
    s = tree_sample(t, 5);
    assert_int_equal(s->cgroup_cpu.count, 1);
    assert_row(s, 0, "/ci.slice", 20);
    tree_destroy(t);
}

static void no_cgroup_takes_more_than_there_is(void **state)
{
    double all = 100.0 * (double)sysconf(_SC_NPROCESSORS_ONLN);
    struct tree *t = v2_tree();

    (void)state;
    use_v2(t, "a.service", 1);
    tree_open(t, &cgroup_cpu_collector);
    tree_sample(t, 1);
    use_v2(t, "a.service", 100000);
    assert_row(tree_sample(t, 5), 0, "/a.service", all);
    /* It was removed and made again: what it used is of the time since. */
    use_v2(t, "a.service", 1);
    assert_row(tree_sample(t, 5), 0, "/a.service", 20);
    tree_destroy(t);
}

static void on_hybrid_hosts_the_hierarchy_that_accounts_is_read(void **state)
{
    struct tree *t = tree_create();

    (void)state;
    tree_write(t, "proc/self/mountinfo", hybrid_mounts);
    tree_write(t, "sys/fs/cgroup/unified/cgroup.controllers", "");
    use_v1(t, "", 5);
    use_v1(t, "docker/box", 5);
    tree_open(t, &cgroup_cpu_collector);
    tree_sample(t, 1);
    use_v1(t, "docker/box", 6);
    assert_row(tree_sample(t, 5), 0, "/docker/box", 20);
    tree_destroy(t);
}

static void without_a_hierarchy_it_says_why(void **state)
{
    struct tree *t = tree_create();

    (void)state;
    tree_write(t, "proc/self/mountinfo", "");
    tree_open(t, &cgroup_cpu_collector);
    assert_string_equal(tree_sample(t, 1)->cgroup_cpu.missing,
                        "no cgroup hierarchy accounts CPU time");
    tree_destroy(t);
}

#define MANY 4200
/* At 34 a tick: with the root and their parent. */
#define WALK_TICKS 124

static void use_many(struct tree *t, double seconds_each)
{
    char path[64];

    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "many.slice/%04d", i);
        use_v2(t, path, seconds_each);
    }
    use_v2(t, "many.slice", MANY * seconds_each);
}

/* More than one tick can visit, and more than there is room for. */
static void what_finds_no_room_is_in_its_parent(void **state)
{
    struct tree *t = v2_tree();
    const struct snapshot *s = NULL;

    (void)state;
    use_many(t, 1);
    tree_open(t, &cgroup_cpu_collector);
    for (int i = 0; i < WALK_TICKS; i++)
        s = tree_sample(t, 1);
    assert_int_equal(s->cgroup_cpu.count, 0);
    use_many(t, 1.01);
    for (int i = 0; i < WALK_TICKS; i++)
        s = tree_sample(t, 1);
    assert_int_equal(s->cgroup_cpu.count, CGROUP_CPU_MAX);
    assert_string_equal(s->cgroup_cpu.rows[0].path, "/many.slice");
    /* The root and it have a row each, so 106 have none. */
    assert_true(s->cgroup_cpu.rows[0].cpu_percent > 100 * s->cgroup_cpu.rows[1].cpu_percent);
    assert_true(s->cgroup_cpu.rows[0].cpu_percent < 110 * s->cgroup_cpu.rows[1].cpu_percent);
    tree_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_of_the_interval_and_without_those_below),
        cmocka_unit_test(what_comes_and_goes_is_counted),
        cmocka_unit_test(no_cgroup_takes_more_than_there_is),
        cmocka_unit_test(on_hybrid_hosts_the_hierarchy_that_accounts_is_read),
        cmocka_unit_test(without_a_hierarchy_it_says_why),
        cmocka_unit_test(what_finds_no_room_is_in_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
