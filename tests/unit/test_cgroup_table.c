#include "collect/cgroup_table.h"
#include "program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct group {
    struct cgroup_entry entry;
    int number;
};

static struct group *find(const struct cgroup_table *table, const char *path)
{
    return cgroup_table_find(table, path, strlen(path));
}

static void see(struct cgroup_table *table, const char *path, int number)
{
    struct group *group = find(table, path);

    if (!group)
        group = cgroup_table_add(table, path);
    assert_non_null(group);
    group->number = number;
    group->entry.seen = true;
}

static void what_a_round_did_not_see_is_gone(void **state)
{
    static const char *const paths[] = {"/b", "/a/b", "/", "/a", "/ab", "/a.slice"};
    struct cgroup_table table = {.size = sizeof(struct group)};

    (void)state;
    for (int round = 0; round < 3; round++) {
        cgroup_table_begin_round(&table);
        for (int i = 0; i < 6; i++)
            see(&table, paths[i], 10 * round + i);
        for (int i = 0; i < 6; i++)
            assert_int_equal(find(&table, paths[i])->number, 10 * round + i);
        assert_null(find(&table, "/a/"));
        cgroup_table_end_round(&table);
        assert_int_equal(table.count, 6);
    }
    /* The beginning of a path is no other one's name. */
    assert_int_equal(((struct group *)cgroup_table_find(&table, "/a/b/c", 4))->number, 21);
    assert_int_equal(((struct group *)cgroup_table_find(&table, "/a/b", 2))->number, 23);
    cgroup_table_begin_round(&table);
    see(&table, "/a/b", 1);
    see(&table, "/new", 2);
    cgroup_table_end_round(&table);
    assert_int_equal(table.count, 2);
    assert_null(find(&table, "/a"));
    assert_int_equal(find(&table, "/a/b")->number, 1);
    assert_int_equal(find(&table, "/new")->number, 2);
    cgroup_table_free(&table);
}

static void there_is_a_bound(void **state)
{
    struct cgroup_table table = {.size = sizeof(struct group)};
    char path[32];

    (void)state;
    for (int i = 0; i < CGROUP_TABLE_MAX; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        assert_non_null(cgroup_table_add(&table, path));
    }
    assert_null(cgroup_table_add(&table, "/one/more"));
    assert_int_equal(table.count, CGROUP_TABLE_MAX);
    cgroup_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_round_did_not_see_is_gone),
        cmocka_unit_test(there_is_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
