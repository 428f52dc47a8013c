/* The outbox: what was put is there until it is removed, whatever happens to the process, the
 * database or the disk. */
#include "outbox_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
static void what_was_put_is_ready_and_stays_until_removed(void **state)
{
    struct outbox_view view;
    struct inbox inbox;

    open_inbox(&inbox, 0);
    put(&inbox, "a", 100);
    put(&inbox, "b", 0);
    put(&inbox, "c", 70000);
    wait_for(&inbox, 3);
    assert_int_equal(inbox.durable, 3);
    assert_int_equal(inbox.recovered, 0);
    assert_string_equal(inbox.keys[0], "a");
    assert_string_equal(inbox.keys[2], "c");
    assert_int_equal(inbox.body_bytes, 70000);
    assert_int_equal(outbox_remove(inbox.outbox, "ops", "a"), 0);
    assert_int_equal(outbox_remove(inbox.outbox, "other", "b"), 0);
    assert_int_equal(outbox_retry(inbox.outbox, "ops", "c", 77), 0);
    outbox_destroy(inbox.outbox);

    open_inbox(&inbox, 0);
    wait_for(&inbox, 2);
    assert_int_equal(inbox.recovered, 2);
    assert_string_equal(inbox.keys[0], "b");
    assert_string_equal(inbox.keys[1], "c");
    assert_int_equal(inbox.attempts, 1);
    assert_int_equal(inbox.next_attempt_ns, 77);
    assert_int_equal(inbox.body_bytes, OUTBOX_HEAD_BYTES);
    assert_int_equal(fetch(&inbox, "c"), 70000);
    assert_int_equal(fetch(&inbox, "b"), 0);
    assert_int_equal(fetch(&inbox, "a"), -ENOENT);
    outbox_view(inbox.outbox, &view);
    assert_true(view.open);
    assert_int_equal(view.recovered, 2);
    assert_string_equal(view.error, "");
    outbox_destroy(inbox.outbox);
}

/* Nothing of what belongs together is handed over before all of it is stored. */
static void what_is_held_comes_together(void **state)
{
    struct outbox_view view;
    struct inbox inbox;
    char key[8];

    open_inbox(&inbox, 0);
    for (size_t i = 0; i < 20; i++) {
        outbox_hold(inbox.outbox);
        for (int part = 0; part < 2; part++) {
            snprintf(key, sizeof(key), "%02zu.%d", i, part);
            put(&inbox, key, 10);
            outbox_view(inbox.outbox, &view);
            outbox_dispatch(inbox.outbox);
            assert_int_equal(view.queued, part + 1);
            assert_int_equal(inbox.count, 2 * i);
        }
        outbox_release(inbox.outbox);
        wait_for(&inbox, 2 * i + 1);
        outbox_view(inbox.outbox, &view);
        assert_int_equal(view.stored, 2 * i + 2);
        wait_for(&inbox, 2 * i + 2);
    }
    assert_int_equal(outbox_remove_up_to(inbox.outbox, "ops", "17.1"), 0);
    assert_int_equal(outbox_remove_up_to(inbox.outbox, "other", "99"), 0);
    outbox_destroy(inbox.outbox);

    open_inbox(&inbox, 0);
    outbox_wait_left(inbox.outbox, DEADLINE_SECONDS * 1000);
    outbox_dispatch(inbox.outbox);
    assert_int_equal(inbox.count, 4);
    assert_string_equal(inbox.keys[0], "18.0");
    outbox_destroy(inbox.outbox);
}

static void a_key_is_ready_once(void **state)
{
    struct outbox_view view;
    struct inbox inbox;

    open_inbox(&inbox, 0);
    put(&inbox, "a", 1);
    put(&inbox, "a", 1);
    put(&inbox, "b", 1);
    wait_for(&inbox, 2);
    assert_string_equal(inbox.keys[1], "b");
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.stored, 2);
    assert_int_equal(view.duplicates, 1);
    assert_int_equal(outbox_put(inbox.outbox, &(struct outbox_entry){.channel = "ops"}), -EINVAL);
    assert_int_equal(outbox_put(inbox.outbox, &(struct outbox_entry){.channel = "", .key = "a"}),
                     -EINVAL);
    outbox_destroy(inbox.outbox);
}

static void a_symbolic_link_is_not_followed(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char target[160], link[160];
    struct outbox_view view;
    struct inbox inbox;
    struct stat st;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        int fd;

        snprintf(target, sizeof(target), "%s/victim", directory);
        snprintf(link, sizeof(link), "%s%s", path, suffixes[i]);
        fd = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        assert_int_equal(write(fd, "v", 1), 1);
        close(fd);
        assert_int_equal(symlink(target, link), 0);
        open_inbox(&inbox, 0);
        put(&inbox, "a", 10);
        wait_for(&inbox, 1);
        assert_int_equal(inbox.durable, 0);
        outbox_view(inbox.outbox, &view);
        assert_non_null(strstr(view.error, "is a symbolic link, which is not followed: remove it"));
        outbox_destroy(inbox.outbox);
        assert_int_equal(stat(target, &st), 0);
        assert_int_equal(st.st_size, 1);
        assert_int_equal(unlink(link), 0);
        unlink(path);
    }
}

static void a_full_database_delivers_what_it_cannot_store(void **state)
{
    struct outbox_view view;
    struct inbox inbox;
    char key[16];

    open_inbox(&inbox, 128 * 1024);
    for (size_t i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        put(&inbox, key, 4000);
    }
    wait_for(&inbox, 100);
    assert_int_equal(inbox.count, 100);
    assert_in_range(inbox.durable, 10, 40);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.stored, inbox.durable);
    assert_int_equal(view.not_durable, 100 - inbox.durable);
    assert_string_not_equal(view.error, "");
    assert_int_equal(view.moved_aside, 0);
    /* Room again. */
    for (size_t i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        assert_int_equal(outbox_remove(inbox.outbox, "ops", key), 0);
    }
    inbox.durable = 0;
    put(&inbox, "later", 4000);
    wait_for(&inbox, 101);
    assert_int_equal(inbox.durable, 1);
    outbox_view(inbox.outbox, &view);
    assert_string_equal(view.error, "");
    outbox_destroy(inbox.outbox);
}

static void assert_private(const char *suffix)
{
    char name[sizeof(path) + 8];
    struct stat st;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* Also one that an earlier version left open to all. */
static void wait_for_looks(struct inbox *inbox, uint64_t times)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;
    struct outbox_view view;

    do {
        outbox_tick(inbox->outbox);
        outbox_dispatch(inbox->outbox);
        outbox_view(inbox->outbox, &view);
        poll(NULL, 0, 10);
    } while (view.made_again < times && now_seconds() < deadline);
    assert_int_equal(view.made_again, times);
}

static void a_file_that_is_gone_is_made_again(void **state)
{
    char command[160];
    struct inbox inbox;

    snprintf(command, sizeof(command), "rm -f '%s'/*", directory);
    open_inbox(&inbox, 0);
    put(&inbox, "waits", 3);
    wait_for(&inbox, 1);
    assert_int_equal(system(command), 0);
    wait_for_looks(&inbox, 1); /* nothing is put */
    assert_int_equal(access(path, F_OK), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    assert_int_equal(system(command), 0);
    put(&inbox, "new", 3);
    wait_for(&inbox, 2);
    assert_int_equal(inbox.durable, 2);
    wait_for_looks(&inbox, 2);
    outbox_destroy(inbox.outbox);

    open_inbox(&inbox, 0);
    wait_for(&inbox, 2);
    assert_int_equal(inbox.recovered, 2);
    assert_string_equal(inbox.keys[0], "waits");
    assert_string_equal(inbox.keys[1], "new");
    outbox_destroy(inbox.outbox);
}

static void nobody_else_reads_it(void **state)
{
    mode_t mask = umask(0);
    struct inbox inbox;

    for (int i = 1; i <= 2; i++) {
        open_inbox(&inbox, 0);
        put(&inbox, i == 1 ? "a" : "b", 100);
        wait_for(&inbox, (size_t)i);
        assert_private("");
        assert_private("-wal");
        assert_private("-shm");
        outbox_destroy(inbox.outbox);
        assert_int_equal(chmod(path, 0666), 0);
    }
    umask(mask);
}

static void a_directory_that_cannot_be_delivers_too(void **state)
{
    struct outbox_view view;
    struct inbox inbox;

    snprintf(path, sizeof(path), "/dev/null/none/outbox.sqlite");
    open_inbox(&inbox, 0);
    put(&inbox, "a", 10);
    wait_for(&inbox, 1);
    assert_int_equal(inbox.durable, 0);
    outbox_view(inbox.outbox, &view);
    assert_false(view.open);
    assert_non_null(strstr(view.error, "unable to open database file"));
    outbox_destroy(inbox.outbox);
}

static void a_directory_is_made(void **state)
{
    struct inbox inbox;

    snprintf(path, sizeof(path), "%s/below/it/outbox.sqlite", directory);
    open_inbox(&inbox, 0);
    put(&inbox, "a", 10);
    wait_for(&inbox, 1);
    assert_int_equal(inbox.durable, 1);
    outbox_destroy(inbox.outbox);
}

static void a_burst_is_bounded_and_complete(void **state)
{
    const struct outbox_entry one_more = {.channel = "ops", .key = "one more"};
    struct outbox_view view;
    struct inbox inbox;
    char key[16];

    pthread_mutex_lock(&slow_disk);
    open_inbox(&inbox, 0);
    for (size_t i = 0; i < OUTBOX_QUEUE_MAX; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        put(&inbox, key, 200);
    }
    assert_int_equal(outbox_put(inbox.outbox, &one_more), -EAGAIN);
    assert_int_equal(outbox_remove(inbox.outbox, "ops", "k0"), -EAGAIN);
    assert_int_equal(outbox_retry(inbox.outbox, "ops", "k0", 1), -EAGAIN);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.queued, OUTBOX_QUEUE_MAX);
    pthread_mutex_unlock(&slow_disk);
    for (size_t i = OUTBOX_QUEUE_MAX; i < 2000; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        put(&inbox, key, 200);
    }
    wait_for(&inbox, 2000);
    for (size_t i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        assert_string_equal(inbox.keys[i], key);
    }
    assert_int_equal(inbox.durable, 2000);
    outbox_destroy(inbox.outbox);
}

/* The child puts, sends and removes messages one by one. Before and after every step it says so
 * and waits for a byte, so that the parent can kill it at exactly this step. */
#define MESSAGES 3
#define STEPS (MESSAGES * 4)

static void step(int say, int hear, char what)
{
    char byte;

    if (write(say, &what, 1) != 1 || read(hear, &byte, 1) != 1)
        _exit(1);
}

static void run_child(int say, int hear)
{
    struct inbox inbox;
    char key[16];

    open_inbox(&inbox, 0);
    for (int i = 0; i < MESSAGES; i++) {
        snprintf(key, sizeof(key), "m%d", i);
        put(&inbox, key, 300);
        step(say, hear, 'p'); /* put: somewhere between the queue and the disk */
        wait_for(&inbox, (size_t)i + 1);
        step(say, hear, 'r'); /* ready: must be on the disk */
        step(say, hear, 's'); /* sent */
        outbox_remove(inbox.outbox, "ops", key);
        step(say, hear, 'd'); /* being removed */
    }
    _exit(0);
}

static bool has_key(const struct inbox *inbox, const char *key)
{
    for (size_t i = 0; i < inbox->count; i++)
        if (strcmp(inbox->keys[i], key) == 0)
            return true;
    return false;
}

/* Which messages the new agent must find, may find and must not. */
static void check_after_kill(int steps)
{
    struct inbox inbox;
    char key[16];

    open_inbox(&inbox, 0);
    put(&inbox, "probe", 1);
    while (!has_key(&inbox, "probe"))
        wait_for(&inbox, inbox.count + 1);
    for (int i = 0; i < MESSAGES; i++) {
        int done = steps - 4 * i; /* of this message */

        snprintf(key, sizeof(key), "m%d", i);
        /* Ready or sent and not yet removed: there, with its key. A removal that was queued when
         * the next message was ready is on the disk. */
        if ((done == 2 || done == 3) && !has_key(&inbox, key))
            fail_msg("killed after step %d: %s is lost", steps, key);
        if ((done < 1 || done >= 6) && has_key(&inbox, key))
            fail_msg("killed after step %d: %s is there", steps, key);
    }
    outbox_destroy(inbox.outbox);
}

static void killed_at_each_step_nothing_is_lost(void **state)
{
    for (int steps = 1; steps <= STEPS; steps++) {
        int to_child[2], to_parent[2], status;
        char byte;
        pid_t pid;

        assert_int_equal(pipe2(to_child, O_CLOEXEC), 0);
        assert_int_equal(pipe2(to_parent, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(to_child[1]);
            close(to_parent[0]);
            run_child(to_parent[1], to_child[0]);
        }
        close(to_child[0]);
        close(to_parent[1]);
        for (int i = 1; i <= steps; i++) {
            assert_int_equal(read(to_parent[0], &byte, 1), 1);
            if (i < steps)
                assert_int_equal(write(to_child[1], "g", 1), 1);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close(to_child[1]);
        close(to_parent[0]);
        check_after_kill(steps);
        clean_up(state);
        set_up(state);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_ready_and_stays_until_removed),
        TEST(what_is_held_comes_together),
        TEST(a_key_is_ready_once),
        TEST(a_symbolic_link_is_not_followed),
        TEST(a_full_database_delivers_what_it_cannot_store),
        TEST(a_directory_that_cannot_be_delivers_too),
        TEST(a_directory_is_made),
        TEST(a_file_that_is_gone_is_made_again),
        TEST(nobody_else_reads_it),
        TEST(a_burst_is_bounded_and_complete),
        TEST(killed_at_each_step_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
