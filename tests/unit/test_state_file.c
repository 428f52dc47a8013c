/* A file of state: replaced as a whole, the newest wins, errors are kept. */
#include "base/state_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char directory[64], path[128];

static int set_up(void **state)
{
    strcpy(directory, "/tmp/moonwatch-state-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/state.json", directory);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const left[] = {"", ".damaged", ".new"};
    char name[160];

    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, left[i]);
        unlink(name);
    }
    return rmdir(directory);
}

static void expect(const struct state_file *file, const char *text)
{
    char *content = NULL;
    size_t len = 0;

    assert_int_equal(state_file_read(file, 1000, &content, &len), 0);
    assert_string_equal(content, text);
    assert_int_equal(len, strlen(text));
    free(content);
}

static void put(struct state_file *file, const char *text)
{
    assert_int_equal(state_file_write(file, strdup(text), strlen(text)), 0);
}

static void the_last_of_many_is_there_at_the_end(void **state)
{
    struct state_file *file;
    char text[32];
    struct stat st;

    assert_int_equal(state_file_create(&file, path), 0);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "version %d", i);
        put(file, text);
    }
    state_file_destroy(file);
    assert_int_equal(state_file_create(&file, path), 0);
    expect(file, "version 199");
    /* What is learnt of a host is nobody's but the agent's. */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    state_file_destroy(file);
}

static void a_failed_write_leaves_the_old_content(void **state)
{
    struct state_file *file;
    char blocker[160];

    assert_int_equal(state_file_create(&file, path), 0);
    put(file, "old");
    state_file_destroy(file);
    /* No file can be made there. */
    snprintf(blocker, sizeof(blocker), "%s.new", path);
    assert_int_equal(mkdir(blocker, 0700), 0);
    assert_int_equal(state_file_create(&file, path), 0);
    put(file, "new");
    for (int i = 0; i < 5000 && state_file_error(file) == 0; i++)
        usleep(1000);
    assert_int_equal(state_file_error(file), -EISDIR);
    expect(file, "old");
    assert_int_equal(rmdir(blocker), 0);
    put(file, "new");
    for (int i = 0; i < 5000 && state_file_error(file) != 0; i++)
        usleep(1000);
    expect(file, "new");
    state_file_destroy(file);
}

static void a_damaged_file_is_moved_aside(void **state)
{
    struct state_file *file;
    char aside[160], *content;
    size_t len;

    assert_int_equal(state_file_create(&file, path), 0);
    put(file, "damaged");
    state_file_destroy(file);
    assert_int_equal(state_file_create(&file, path), 0);
    assert_int_equal(state_file_read(file, 3, &content, &len), -EFBIG);
    assert_int_equal(state_file_move_aside(file), 0);
    assert_int_equal(state_file_read(file, 1000, &content, &len), -ENOENT);
    snprintf(aside, sizeof(aside), "%s.damaged", path);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(state_file_move_aside(file), -ENOENT);
    state_file_destroy(file);
    state_file_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_of_many_is_there_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_moved_aside, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
