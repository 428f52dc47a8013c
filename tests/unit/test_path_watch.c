/* Paths followed in a real directory tree. No test waits for a time: each runs the loop until what
 * it expects was told, or until all that was there is taken. */
#include "base/path_watch.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    char root[64];
    struct loop *loop;
    struct path_watch *watch;
    struct loop_source *alarm;
    int moves, rounds;
};

static void on_moved(void *ctx)
{
    struct scene *s = ctx;

    s->moves++;
    loop_stop(s->loop);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    strcpy(s->root, "/tmp/moonwatch-path-XXXXXX");
    assert_non_null(mkdtemp(s->root));
    assert_int_equal(loop_create(&s->loop, clock_system()), 0);
    assert_int_equal(path_watch_create(&s->watch, s->loop, on_moved, s), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    char command[128];

    path_watch_destroy(s->watch);
    loop_destroy(s->loop);
    snprintf(command, sizeof(command), "rm -rf '%s'", s->root);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}

static const char *at(const struct scene *s, const char *path)
{
    static char full[256];

    snprintf(full, sizeof(full), "%s%s", s->root, path);
    return full;
}

static void make(const struct scene *s, const char *path)
{
    assert_int_equal(mkdir(at(s, path), 0755), 0);
}

static void drop(const struct scene *s, const char *path)
{
    assert_int_equal(rmdir(at(s, path)), 0);
}

static void follow(struct scene *s, const char *path)
{
    assert_int_equal(path_watch_set(s->watch, s->root, &path, 1), 0);
}

/* One more move is told, and it is the only one. */
static void is_told(struct scene *s)
{
    int before = s->moves;

    assert_int_equal(loop_run(s->loop), 0);
    assert_int_equal(s->moves, before + 1);
}

static void on_round(void *ctx, uint64_t now_ns)
{
    struct scene *s = ctx;

    if (++s->rounds % 2 == 0)
        loop_stop(s->loop);
    else
        loop_set_alarm(s->alarm, now_ns);
}

/* Before the second round everything that was there in the first has been taken. */
static void is_not_told(struct scene *s)
{
    int before = s->moves;

    assert_int_equal(loop_add_alarm(s->loop, &s->alarm, on_round, s), 0);
    assert_int_equal(loop_set_alarm(s->alarm, 1), 0);
    assert_int_equal(loop_run(s->loop), 0);
    loop_remove(s->alarm);
    assert_int_equal(s->moves, before);
}

static void made_and_removed_and_made_again(void **state)
{
    struct scene *s = *state;

    follow(s, "/a");
    for (int i = 0; i < 3; i++) {
        make(s, "/a");
        is_told(s);
        drop(s, "/a");
        is_told(s);
    }
    /* However often it moved meanwhile. */
    make(s, "/a");
    drop(s, "/a");
    make(s, "/a");
    is_told(s);
}

static void parts_that_do_not_exist_yet(void **state)
{
    struct scene *s = *state;
    char away[256];

    follow(s, "/a/b/c/d");
    assert_int_equal(path_watch_directories(s->watch), 1);
    make(s, "/a");
    is_told(s);
    make(s, "/a/b");
    is_told(s);
    assert_int_equal(path_watch_directories(s->watch), 3);
    /* Faster than it is looked at. */
    make(s, "/a/b/c");
    make(s, "/a/b/c/d");
    is_told(s);
    assert_int_equal(path_watch_directories(s->watch), 4);
    drop(s, "/a/b/c/d");
    is_told(s);
    drop(s, "/a/b/c");
    is_told(s);
    assert_int_equal(path_watch_directories(s->watch), 3);
    snprintf(away, sizeof(away), "%s", at(s, "/away"));
    assert_int_equal(rename(at(s, "/a"), away), 0);
    is_told(s);
    assert_int_equal(path_watch_directories(s->watch), 1);
}

static void others_in_the_same_directory_are_not_told(void **state)
{
    static const char *const paths[] = {"/a/b", "/c"};
    struct scene *s = *state;

    make(s, "/a");
    assert_int_equal(path_watch_set(s->watch, s->root, paths, 2), 0);
    assert_int_equal(path_watch_directories(s->watch), 2);
    make(s, "/a/bb");
    make(s, "/b");
    make(s, "/cc");
    is_not_told(s);
    make(s, "/a/b");
    is_told(s);
    make(s, "/c");
    is_told(s);
    /* What is in the last directory does not matter. */
    make(s, "/c/x");
    is_not_told(s);
    drop(s, "/a/b");
    is_told(s);
}

static void what_is_set_anew(void **state)
{
    struct scene *s = *state;

    follow(s, "/a/b");
    make(s, "/a");
    follow(s, "/c");
    assert_int_equal(path_watch_directories(s->watch), 1);
    make(s, "/a/b");
    is_not_told(s);
    make(s, "/c");
    is_told(s);
    assert_int_equal(path_watch_set(s->watch, s->root, NULL, 0), 0);
    assert_int_equal(path_watch_directories(s->watch), 0);
}

static void watches_are_bounded(void **state)
{
    enum { COUNT = PATH_WATCH_DIRECTORIES_MAX + 10 };
    struct scene *s = *state;
    const char *paths[COUNT];
    char text[COUNT][32];

    for (int i = 0; i < COUNT; i++) {
        snprintf(text[i], sizeof(text[i]), "/%d", i);
        make(s, text[i]);
        snprintf(text[i], sizeof(text[i]), "/%d/x", i);
        paths[i] = text[i];
    }
    assert_int_equal(path_watch_set(s->watch, s->root, paths, COUNT), 0);
    assert_int_equal(path_watch_directories(s->watch), PATH_WATCH_DIRECTORIES_MAX);
    make(s, "/0/x");
    is_told(s);
    assert_int_equal(path_watch_directories(s->watch), PATH_WATCH_DIRECTORIES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made_and_removed_and_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_that_do_not_exist_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(others_in_the_same_directory_are_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_set_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(watches_are_bounded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
