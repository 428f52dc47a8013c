/* The saved state is the old one or the new one, never a part, and says why when it is neither. */
#include "base/clock.h"
#include "base/file.h"
#include "program.h"
#include "store/state_file.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_NS (60 * NS_PER_SECOND)

struct place {
    char directory[64], path[128], next[128], damaged[128], unread[128];
    struct state_file *file;
};

/* Stands in for cJSON's, which the thread calls with what it has read: holds it there, as a disk
 * that hangs would, while the test has the lock. */
static pthread_mutex_t slow_disk = PTHREAD_MUTEX_INITIALIZER;

cJSON *cJSON_ParseWithLength(const char *value, size_t length)
{
    pthread_mutex_lock(&slow_disk);
    pthread_mutex_unlock(&slow_disk);
    return cJSON_ParseWithLengthOpts(value, length, NULL, 0);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    char root[] = "/tmp/moonwatch-state-XXXXXX";

    assert_non_null(mkdtemp(root));
    snprintf(place->directory, sizeof(place->directory), "%s/below/it", root);
    snprintf(place->path, sizeof(place->path), "%s/alerts.json", place->directory);
    snprintf(place->next, sizeof(place->next), "%s/alerts.json.new", place->directory);
    snprintf(place->damaged, sizeof(place->damaged), "%s/alerts.json.damaged", place->directory);
    snprintf(place->unread, sizeof(place->unread), "%s/alerts.json.unread", place->directory);
    assert_int_equal(state_file_create(&place->file, place->directory, "alerts.json"), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;

    state_file_destroy(place->file);
    unlink(place->path);
    unlink(place->next);
    unlink(place->damaged);
    unlink(place->unread);
    for (int i = 0; i < 3; i++) {
        rmdir(place->directory);
        *strrchr(place->directory, '/') = '\0';
    }
    free(place);
    return 0;
}

static cJSON *document(double n)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddNumberToObject(json, "n", n);
    return json;
}

/* Past the time after which the product gives up, which a busy machine may need. */
static void settle(struct place *place)
{
    struct pollfd done = {.fd = state_file_fd(place->file), .events = POLLIN};

    while (state_file_busy(place->file))
        poll(&done, 1, 1000);
}

/* As anybody else reads it, while the thread does what it likes. */
static double number_in(const struct place *place)
{
    char *text = NULL;
    cJSON *json;
    size_t len;
    double n;

    assert_int_equal(file_read_all(NULL, place->path, 4096, &text, &len), 0);
    json = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
    assert_non_null(json);
    n = cJSON_GetObjectItem(json, "n")->valuedouble;
    cJSON_Delete(json);
    free(text);
    return n;
}

static double number_read(struct place *place)
{
    cJSON *json = NULL;
    double n;
    int r;

    while ((r = state_file_read(place->file, &json)) == -ETIMEDOUT)
        settle(place);
    assert_int_equal(r, 0);
    n = cJSON_GetObjectItem(json, "n")->valuedouble;
    cJSON_Delete(json);
    return n;
}

static struct state_file_view view_of(const struct place *place)
{
    struct state_file_view view;

    state_file_view(place->file, &view);
    return view;
}

static void written_and_read_back(void **state)
{
    struct place *place = *state;
    struct stat st;
    cJSON *json;

    assert_int_equal(state_file_read(place->file, &json), -ENOENT);
    assert_true(isnan(view_of(place).last_seconds));
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(state_file_write(place->file, document(i)), 0);
        settle(place);
        assert_float_equal(number_read(place), i, 0);
    }
    assert_false(state_file_busy(place->file));
    assert_int_equal(view_of(place).writes_total, 3);
    assert_int_equal(view_of(place).failures_total, 0);
    assert_int_equal(view_of(place).last_bytes, strlen("{\"n\":3}"));
    assert_null(view_of(place).error);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(access(place->next, F_OK), -1);
}

/* A writer waits for a FIFO's first reader, so the write lasts for as long as the test likes. */
static void one_write_at_a_time(void **state)
{
    struct place *place = *state;
    int fd;

    assert_int_equal(state_file_write(place->file, document(1)), 0);
    settle(place);
    assert_int_equal(mkfifo(place->next, 0600), 0);
    assert_int_equal(state_file_write(place->file, document(2)), 0);
    assert_true(state_file_busy(place->file));
    assert_int_equal(state_file_write(place->file, document(3)), -EBUSY);
    fd = open(place->next, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    settle(place);
    close(fd);
    assert_false(state_file_busy(place->file));
    assert_int_equal(state_file_write(place->file, document(4)), 0);
    settle(place);
    assert_float_equal(number_in(place), 4, 0);
}

static void there_is_a_whole_document_all_the_time(void **state)
{
    struct place *place = *state;
    int refused = 0;

    for (int i = 0; i < 200; i++) {
        int r = state_file_write(place->file, document(i));

        refused += r == -EBUSY;
        assert_true(r == 0 || r == -EBUSY);
        /* Whatever the thread does, there is a whole document. */
        if (access(place->path, F_OK) == 0)
            number_in(place);
    }
    settle(place);
    assert_int_equal(view_of(place).writes_total, 200 - refused);
}

static void what_a_kill_left_is_overwritten(void **state)
{
    struct place *place = *state;
    FILE *rest;

    assert_int_equal(state_file_write(place->file, document(1)), 0);
    settle(place);
    rest = fopen(place->next, "w");
    for (int i = 0; i < 10000; i++)
        fputs("{\"n\":", rest);
    fclose(rest);
    assert_float_equal(number_in(place), 1, 0);
    assert_int_equal(state_file_write(place->file, document(2)), 0);
    settle(place);
    assert_float_equal(number_in(place), 2, 0);
}

static void a_failure_leaves_the_old_one(void **state)
{
    struct place *place = *state;

    assert_int_equal(state_file_write(place->file, document(1)), 0);
    settle(place);
    /* Nobody, root included, can write to a directory as a file. */
    assert_int_equal(mkdir(place->next, 0700), 0);
    assert_int_equal(state_file_write(place->file, document(2)), 0);
    settle(place);
    assert_int_equal(view_of(place).failures_total, 1);
    assert_non_null(strstr(view_of(place).error, "alerts.json: Is a directory"));
    assert_float_equal(number_in(place), 1, 0);
    assert_int_equal(rmdir(place->next), 0);
    assert_int_equal(state_file_write(place->file, document(3)), 0);
    settle(place);
    assert_null(view_of(place).error);
    assert_float_equal(number_in(place), 3, 0);
}

static void a_damaged_one_is_moved_aside(void **state)
{
    struct place *place = *state;
    const char *moved_to;
    cJSON *json;
    FILE *file;

    assert_int_equal(state_file_write(place->file, document(1)), 0);
    settle(place);
    file = fopen(place->path, "w");
    fputs("{\"n\":", file);
    fclose(file);
    assert_int_equal(state_file_read(place->file, &json), -EBADMSG);
    assert_int_equal(state_file_move_aside(place->file, &moved_to), 0);
    assert_int_equal(access(place->damaged, F_OK), 0);
    assert_int_equal(state_file_read(place->file, &json), -ENOENT);
    assert_int_equal(state_file_move_aside(place->file, &moved_to), -ENOENT);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void expect_content(const char *path, const char *content)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_string_equal(text, content);
}

/* Nobody can say what is in there. */
static void what_cannot_be_read_is_kept(void **state)
{
    struct place *place = *state;
    struct stat st;
    cJSON *json;

    assert_int_equal(dir_create_all(place->directory, 0700), 0);
    assert_int_equal(mkfifo(place->path, 0600), 0);
    assert_int_equal(state_file_read(place->file, &json), FILE_NOT_REGULAR);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(state_file_write(place->file, document(i)), 0);
        settle(place);
        assert_null(view_of(place).error);
        assert_float_equal(number_in(place), i, 0);
        /* The second time what is there is ours. */
        assert_int_equal(stat(place->unread, &st), 0);
        assert_true(S_ISFIFO(st.st_mode));
    }
}

static void links_are_not_followed(void **state)
{
    struct place *place = *state;
    char victim[160];
    struct stat st;
    cJSON *json;

    snprintf(victim, sizeof(victim), "%s/victim", place->directory);
    assert_int_equal(dir_create_all(place->directory, 0700), 0);
    put(victim, "{}");
    assert_int_equal(chmod(victim, 0644), 0);
    assert_int_equal(symlink(victim, place->path), 0);
    assert_int_equal(link(victim, place->next), 0);
    assert_int_equal(state_file_read(place->file, &json), -ELOOP);
    assert_non_null(state_file_unread_name(place->file));
    assert_int_equal(state_file_write(place->file, document(1)), 0);
    settle(place);
    assert_float_equal(number_in(place), 1, 0);
    assert_int_equal(lstat(place->path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    expect_content(victim, "{}");
    assert_int_equal(unlink(victim), 0);
}

static void in_no_directory_is_nothing_to_keep(void **state)
{
    struct place *place = *state;
    cJSON *json;

    assert_int_equal(dir_create_parent(place->directory, 0700), 0);
    put(place->directory, "a file");
    assert_int_equal(state_file_read(place->file, &json), -ENOTDIR);
    assert_null(state_file_unread_name(place->file));
    assert_int_equal(unlink(place->directory), 0);
}

/* A damaged one stays where it is when it cannot be moved. */
static void what_cannot_be_moved_aside_is_kept(void **state)
{
    struct place *place = *state;
    const char *moved_to;
    cJSON *json;

    assert_int_equal(dir_create_all(place->directory, 0700), 0);
    assert_int_equal(mkdir(place->damaged, 0700), 0);
    put(place->path, "{");
    assert_int_equal(state_file_read(place->file, &json), -EBADMSG);
    assert_int_equal(state_file_move_aside(place->file, &moved_to), -EISDIR);
    assert_int_equal(state_file_write(place->file, document(1)), 0);
    settle(place);
    assert_float_equal(number_in(place), 1, 0);
    expect_content(place->unread, "{");
    assert_int_equal(rmdir(place->damaged), 0);
}

static void a_disk_that_hangs_is_not_waited_for(void **state)
{
    struct place *place = *state;
    uint64_t began_ns = clock_monotonic_ns(clock_system());
    cJSON *json;

    assert_int_equal(dir_create_all(place->directory, 0700), 0);
    put(place->path, "{\"n\":1}");
    pthread_mutex_lock(&slow_disk);
    assert_int_equal(state_file_read(place->file, &json), -ETIMEDOUT);
    assert_int_equal(state_file_write(place->file, document(2)), -EBUSY);
    assert_false(state_file_wait(place->file));
    assert_true(clock_monotonic_ns(clock_system()) - began_ns < DEADLINE_NS);
    /* It comes back: too late for what it says, which is kept. */
    pthread_mutex_unlock(&slow_disk);
    settle(place);
    assert_false(view_of(place).stalled);
    assert_int_equal(state_file_write(place->file, document(2)), 0);
    settle(place);
    assert_float_equal(number_in(place), 2, 0);
    expect_content(place->unread, "{\"n\":1}");
}

static void an_end_is_bounded(void **state)
{
    struct place *place = *state;
    uint64_t began_ns = clock_monotonic_ns(clock_system());
    int fd;

    assert_int_equal(dir_create_all(place->directory, 0700), 0);
    assert_int_equal(mkfifo(place->next, 0600), 0);
    assert_int_equal(state_file_write(place->file, document(1)), 0);
    state_file_destroy(place->file);
    place->file = NULL;
    assert_true(clock_monotonic_ns(clock_system()) - began_ns < DEADLINE_NS);
    /* The thread ends when its disk comes back, and releases what it had. */
    fd = open(place->next, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while (access(place->next, F_OK) == 0)
        pause_briefly();
    close(fd);
}

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(written_and_read_back),
        PLACE_TEST(one_write_at_a_time),
        PLACE_TEST(there_is_a_whole_document_all_the_time),
        PLACE_TEST(what_a_kill_left_is_overwritten),
        PLACE_TEST(a_failure_leaves_the_old_one),
        PLACE_TEST(a_damaged_one_is_moved_aside),
        PLACE_TEST(what_cannot_be_read_is_kept),
        PLACE_TEST(links_are_not_followed),
        PLACE_TEST(in_no_directory_is_nothing_to_keep),
        PLACE_TEST(what_cannot_be_moved_aside_is_kept),
        PLACE_TEST(a_disk_that_hangs_is_not_waited_for),
        PLACE_TEST(an_end_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
