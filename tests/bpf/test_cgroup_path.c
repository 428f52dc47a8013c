/* Ids of real cgroups against the directories they came from. */
#include "base/cgroup_path.h"
#include "base/hash.h"
#include "collect/event_path.h"
#include "own_cgroup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NS_PER_MS 1000000ULL

static struct cgroup_paths *paths;
static char mount_path[256], cgroup[320];
static const char *path; /* of the cgroup, as the kernel spells it */

static int clean_up(void **state)
{
    (void)state;
    cgroup_paths_destroy(paths);
    paths = NULL;
    cgroup_remove(cgroup);
    return 0;
}

static uint64_t make(enum cgroup_hierarchy hierarchy)
{
    const char *controller = hierarchy == CGROUP_MEMORY ? "memory" : NULL;

    if (geteuid() != 0) {
        print_message("needs root to make a cgroup\n");
        skip();
    }
    assert_int_equal(cgroup_paths_create(&paths, &host_default, hierarchy), 0);
    if (!cgroup_mount(controller, mount_path, sizeof(mount_path)))
        assert_true(cgroup_mount(NULL, mount_path, sizeof(mount_path)));
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-test-%d", mount_path, getpid());
    path = cgroup + strlen(mount_path);
    return cgroup_make(cgroup);
}

static void check_hierarchy(enum cgroup_hierarchy hierarchy)
{
    uint64_t id = make(hierarchy);
    struct cgroup_name found;
    struct stat root;

    found = cgroup_paths_find(paths, id, 1);
    assert_null(cgroup_paths_missing(paths));
    assert_non_null(found.path);
    assert_string_equal(found.path, path);
    assert_false(found.gone);
    assert_int_equal(stat(mount_path, &root), 0);
    found = cgroup_paths_find(paths, root.st_ino, 1);
    assert_non_null(found.path);
    assert_string_equal(found.path, "/");
}

static void a_unified_cgroup_has_its_path(void **state)
{
    (void)state;
    check_hierarchy(CGROUP_UNIFIED);
}

static void a_memory_cgroup_has_its_path(void **state)
{
    (void)state;
    check_hierarchy(CGROUP_MEMORY);
}

static void a_cgroup_that_is_gone_is_remembered_for_a_while(void **state)
{
    uint64_t id = make(CGROUP_UNIFIED), t = 1000 * NS_PER_MS;
    struct cgroup_name found;

    (void)state;
    assert_non_null(cgroup_paths_find(paths, id, t).path);
    cgroup_remove(cgroup);
    found = cgroup_paths_find(paths, id, t + CGROUP_PATH_FRESH_NS - 1);
    assert_false(found.gone);
    found = cgroup_paths_find(paths, id, t + CGROUP_PATH_FRESH_NS);
    assert_true(found.gone);
    assert_string_equal(found.path, path);
    found = cgroup_paths_find(paths, id, t + CGROUP_PATH_GONE_NS + 1);
    assert_true(found.gone);
    assert_null(found.path);
}

/* Two that differ only beyond what events show. */
static void paths_that_are_cut_still_differ(void **state)
{
    char deep[2][700], shown[2][CGROUP_PATH_BYTES], middle[600];
    uint64_t ids[2], hashes[2];

    (void)state;
    make(CGROUP_UNIFIED);
    snprintf(middle, sizeof(middle), "%s/%0200d", cgroup, 0);
    assert_true(cgroup_make(middle) > 0);
    for (int i = 0; i < 2; i++) {
        snprintf(deep[i], sizeof(deep[i]), "%s/%090d.service", middle, i);
        ids[i] = cgroup_make(deep[i]);
        hashes[i] = event_path(shown[i], paths, ids[i], 1);
        assert_int_equal(strlen(shown[i]), CGROUP_PATH_BYTES - 1);
    }
    for (int i = 0; i < 2; i++)
        cgroup_remove(deep[i]);
    cgroup_remove(middle);
    assert_true(hashes[0] != hashes[1]);
    assert_string_not_equal(shown[0], shown[1]);
    assert_memory_equal(shown[0], shown[1], 200);
}

/* A service's cgroup is gone with it, the slice it was in is not. */
static void what_is_gone_is_named_by_what_is_above(void **state)
{
    struct record_exit record = {.cgroup_id = 1ull << 40, .cgroup_name = "a.service"};
    char shown[CGROUP_PATH_BYTES], expected[CGROUP_PATH_BYTES];
    struct stat root;
    uint64_t named;

    (void)state;
    record.cgroup_parent_id = make(CGROUP_UNIFIED);
    named = event_exit_path(shown, paths, &record, 1);
    snprintf(expected, sizeof(expected), "%s/a.service", path);
    assert_string_equal(shown, expected);
    assert_true(named == strong_string(STRONG_START, expected));
    assert_int_equal(stat(mount_path, &root), 0);
    record.cgroup_parent_id = root.st_ino;
    event_exit_path(shown, paths, &record, 1);
    assert_string_equal(shown, "/a.service");
    /* A name that may be cut is no path, and one below nobody knows what neither. */
    memset(record.cgroup_name, 'a', CGROUP_NAME_BYTES - 1);
    event_exit_path(shown, paths, &record, 1);
    assert_string_equal(shown, "");
    strcpy(record.cgroup_name, "a.service");
    record.cgroup_parent_id = 1ull << 41;
    event_exit_path(shown, paths, &record, 1);
    assert_string_equal(shown, "");
}

/* More than the table begins with; the ids that never were are forgotten again. */
static void many_ids_that_never_were(void **state)
{
    uint64_t id = make(CGROUP_UNIFIED), t = 1000 * NS_PER_MS;

    (void)state;
    for (uint64_t i = 1; i < 5000; i++) {
        struct cgroup_name found =
            cgroup_paths_find(paths, 1ull << 40 | i, t + i * 100 * NS_PER_MS);

        assert_true(found.gone);
        assert_null(found.path);
        assert_string_equal(cgroup_paths_find(paths, id, t + i * 100 * NS_PER_MS).path, path);
    }
    assert_true(cgroup_paths_find(paths, 0, t).gone);
}

static void without_a_mount_the_reason_is_said(void **state)
{
    const struct host nowhere = {
        .root = "/", .proc = "/nonexistent", .sys = "/nonexistent", .own_proc = "/nonexistent"};

    (void)state;
    assert_int_equal(cgroup_paths_create(&paths, &nowhere, CGROUP_UNIFIED), 0);
    assert_null(cgroup_paths_find(paths, 5, 1).path);
    assert_non_null(cgroup_paths_missing(paths));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_unified_cgroup_has_its_path, clean_up),
        cmocka_unit_test_teardown(a_memory_cgroup_has_its_path, clean_up),
        cmocka_unit_test_teardown(a_cgroup_that_is_gone_is_remembered_for_a_while, clean_up),
        cmocka_unit_test_teardown(paths_that_are_cut_still_differ, clean_up),
        cmocka_unit_test_teardown(what_is_gone_is_named_by_what_is_above, clean_up),
        cmocka_unit_test_teardown(many_ids_that_never_were, clean_up),
        cmocka_unit_test_teardown(without_a_mount_the_reason_is_said, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
