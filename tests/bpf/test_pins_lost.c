/* Pins, their directory and its lock when somebody removes them. */
#include "pins_fixture.h"
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>

static const char *what_was_lost(uint64_t after_seconds)
{
    struct probe_view view;
    uint64_t next_ns;

    loader.now_ns += after_seconds * NS_PER_SECOND;
    probe_tick(loader.probe, loader.now_ns, &next_ns);
    probe_view(loader.probe, &view);
    return view.pins_lost;
}

static void test_pins_that_somebody_removes_are_made_again(void **state)
{
    char path[128];

    skip_unless_root();
    loader_open_flood(&loader);
    assert_null(what_was_lost(20));
    snprintf(path, sizeof(path), "%s/events", loader.pins);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(loader.pins_lost, 0);
    assert_non_null(strstr(what_was_lost(20), "1 pins"));
    close(loader_map_fd(&loader, "events"));
    assert_int_equal(loader.pins_lost, 1);
    assert_int_equal(loader.pins_made, 1);
    assert_non_null(what_was_lost(200));
    assert_null(what_was_lost(200));
}

static void remove_everything(void)
{
    DIR *directory = opendir(loader.pins);
    const struct dirent *entry;

    assert_non_null(directory);
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(directory), entry->d_name, 0), 0);
    closedir(directory);
    assert_int_equal(rmdir(loader.pins), 0);
}

static void test_a_directory_that_somebody_removes_is_made_again(void **state)
{
    skip_unless_root();
    loader_open_flood(&loader);
    for (unsigned i = 1; i <= 2; i++) {
        remove_everything();
        assert_non_null(
            strstr(what_was_lost(20), "are gone with their directory and are made again"));
        close(loader_map_fd(&loader, "events"));
        assert_int_equal(pin_holder(loader.pins), getpid());
        assert_int_equal(loader.pins_lost, i);
        assert_int_equal(loader.pins_made, i);
    }
    /* Somebody else's directory is not made the agent's own. */
    remove_everything();
    assert_int_equal(mkdir(loader.pins, 0700), 0);
    pin_foreign("theirs", "theirs");
    for (unsigned i = 0; i < 3; i++)
        assert_non_null(strstr(what_was_lost(20), "holds theirs, which is no agent's"));
    assert_int_equal(loader.pins_lost, 3);
    assert_int_equal(loader.pins_made, 2);
    assert_non_null(strstr(loader.pins_said, "holds theirs"));
    unpin_foreign("theirs");
    what_was_lost(20);
    assert_int_equal(loader.pins_made, 3);
    assert_non_null(strstr(loader.pins_said, "are made again"));
}

static void test_the_lock_outlives_its_directory(void **state)
{
    char expected[PROBE_ERROR_BYTES];

    skip_unless_root();
    start_other_agent();
    remove_everything();
    /* Whoever asks leaves nothing that would keep the next from asking. */
    for (int i = 0; i < 64; i++)
        assert_int_equal(pin_holder(loader.pins), other_agent);
    assert_int_equal(loader_open(&loader, &flood_object, 1), -EBUSY);
    snprintf(expected, sizeof(expected), "another moonwatch agent (pid %d) holds %s", other_agent,
             loader.pins);
    assert_string_equal(loader.error, expected);
    assert_int_equal(access(loader.pins, F_OK), -1);
    kill_other_agent();
    assert_int_equal(pin_holder(loader.pins), -ENOENT);
    loader_open_flood(&loader);
}

/* Anybody may take the name: it is no way to keep the agent from starting. */
static void test_a_name_that_no_agent_holds_keeps_nobody_out(void **state)
{
    int ready[2], holder = 0;
    char said = 0;

    skip_unless_root();
    assert_int_equal(pipe(ready), 0);
    other_agent = fork();
    assert_true(other_agent >= 0);
    if (other_agent == 0) {
        if (setresuid(65534, 65534, 65534) < 0 || pin_lock_name(loader.pins, &holder) < 0 ||
            write(ready[1], "1", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &said, 1), 1);
    close(ready[0]);
    loader_open_flood(&loader);
    close(loader_map_fd(&loader, "events"));
}

static int under_another_bpffs(void)
{
    const char *lost;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        loader_open(&loader, &flood_object, 1) < 0)
        return 2;
    if (what_was_lost(20))
        return 3;
    if (mount("none", "/sys/fs/bpf", "tmpfs", 0, NULL) < 0)
        return 4;
    lost = what_was_lost(20);
    if (umount2("/sys/fs/bpf", MNT_DETACH) < 0)
        return 5;
    return lost && strstr(lost, "are gone") ? 0 : 6;
}

static void test_a_bpffs_that_is_unmounted_is_said(void **state)
{
    int status = 0;
    pid_t child;

    skip_unless_root();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int result = under_another_bpffs();

        loader_close(&loader);
        _exit(result);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pins_that_somebody_removes_are_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_somebody_removes_is_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_lock_outlives_its_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_that_no_agent_holds_keeps_nobody_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_bpffs_that_is_unmounted_is_said, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
