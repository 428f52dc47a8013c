/* The outbox on a disk that hangs: nobody is kept from being told, and nothing from ending. */
#include "outbox_fixture.h"
#include <dirent.h>

static unsigned threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    unsigned count = 0;

    assert_non_null(tasks);
    while ((entry = readdir(tasks)))
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* As one of a network file system whose server is gone. */
static void a_disk_that_hangs_keeps_nobody_from_being_told(void **state)
{
    time_t began = now_seconds(), deadline = began + DEADLINE_SECONDS;
    struct outbox_view view;
    struct inbox inbox;

    pthread_mutex_lock(&slow_disk);
    open_inbox(&inbox, 0);
    put(&inbox, "a", 10);
    put(&inbox, "b", 20);
    outbox_tick(inbox.outbox);
    assert_true(inbox.count == 0 || now_seconds() > began); /* it may only be slow */
    while (inbox.count < 2 && now_seconds() < deadline)
        outbox_tick(inbox.outbox);
    put(&inbox, "c", 30);
    outbox_tick(inbox.outbox);
    assert_int_equal(inbox.count, 3);
    assert_int_equal(inbox.durable, 0);
    assert_string_equal(inbox.keys[2], "c");
    assert_int_equal(inbox.body_bytes, 30);
    outbox_view(inbox.outbox, &view);
    assert_non_null(strstr(view.error, "does not answer"));
    assert_int_equal(view.not_durable, 3);
    /* Sent and forgotten before the disk comes back, then it is there for a moment at most. */
    assert_int_equal(outbox_remove(inbox.outbox, "ops", "a"), 0);
    pthread_mutex_unlock(&slow_disk);
    put(&inbox, "d", 40);
    wait_for(&inbox, 4);
    assert_int_equal(inbox.count, 4);
    assert_int_equal(inbox.durable, 1);
    assert_string_equal(inbox.keys[3], "d");
    outbox_destroy(inbox.outbox);
    open_inbox(&inbox, 0);
    wait_for(&inbox, 3);
    assert_int_equal(inbox.recovered, 3);
    assert_string_equal(inbox.keys[0], "b");
    outbox_destroy(inbox.outbox);
}

static void a_disk_that_hangs_does_not_stop_the_end(void **state)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;
    struct inbox inbox;

    pthread_mutex_lock(&slow_disk);
    open_inbox(&inbox, 0);
    put(&inbox, "a", 10);
    outbox_destroy(inbox.outbox);
    assert_true(now_seconds() < deadline);
    /* Should it come back after all, the thread does what it was asked to. */
    pthread_mutex_unlock(&slow_disk);
    while (threads() > 1 && now_seconds() < deadline)
        usleep(10000); /* on purpose: between two looks */
    assert_int_equal(threads(), 1);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(a_disk_that_hangs_keeps_nobody_from_being_told),
        TEST(a_disk_that_hangs_does_not_stop_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
