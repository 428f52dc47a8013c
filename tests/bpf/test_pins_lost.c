/* Pins, their directory and its lock when somebody removes them. */
#include "base/hash.h"
#include "pins_fixture.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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

/* A directory in which nothing happened for long is not looked through again, until something does.
 */
static void test_a_pin_removed_long_after_is_missed(void **state)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char path[128];

    skip_unless_root();
    loader_open_flood(&loader);
    assert_int_equal(utimensat(AT_FDCWD, loader.pins, long_ago, 0), 0);
    assert_null(what_was_lost(20));
    assert_null(what_was_lost(20));
    snprintf(path, sizeof(path), "%s/events", loader.pins);
    assert_int_equal(unlink(path), 0);
    assert_non_null(strstr(what_was_lost(20), "1 pins"));
    assert_int_equal(loader.pins_made, 1);
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

static int become_a_stranger(void)
{
    return setresuid(65534, 65534, 65534);
}

/* What connect() to the name that goes with the path comes to; the connection is closed again. */
static int ask(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

    snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "moonwatch/pins/%016" PRIx64,
             fnv_string(FNV_START, path));
    err = connect(fd, (struct sockaddr *)&name,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                              strlen(name.sun_path + 1))) < 0
              ? errno
              : 0;
    close(fd);
    return err;
}

/* Until as many wait as the kernel lets. */
static int crowd(void)
{
    int err = 0;

    for (int i = 0; i < SOMAXCONN + 2 && err == 0; i++)
        err = ask(loader.pins);
    return err == EAGAIN ? 0 : 1;
}

static int crowd_as_a_stranger(void)
{
    return become_a_stranger() == 0 ? crowd() : 1;
}

static int ask_as_a_stranger(void)
{
    return become_a_stranger() == 0 ? ask(loader.pins) : 1;
}

static int take_the_name_as_a_stranger(void)
{
    int holder = 0;

    return become_a_stranger() == 0 && pin_lock_name(loader.pins, &holder) >= 0 ? crowd() : 1;
}

/* Anybody may take the name: it is no way to keep the agent from starting. */
static void test_a_name_that_no_agent_holds_keeps_nobody_out(void **state)
{
    skip_unless_root();
    start_another(take_the_name_as_a_stranger);
    loader_open_flood(&loader);
    close(loader_map_fd(&loader, "events"));
}

static unsigned open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Anybody may ask, too, as often as they like. */
static void test_a_crowd_keeps_nobody_from_asking(void **state)
{
    unsigned before;

    skip_unless_root();
    loader_open_flood(&loader);
    before = open_files();
    for (int i = 0; i < 2; i++) {
        remove_everything(); /* only the name is left to tell */
        assert_int_equal(in_a_child(crowd_as_a_stranger), 0);
        assert_int_equal(in_a_child(ask_as_a_stranger), EAGAIN);
        assert_int_equal(pin_holder(loader.pins), getpid());
        what_was_lost(20);
        assert_int_equal(in_a_child(ask_as_a_stranger), 0);
        assert_int_equal(open_files(), before);
    }
}

static void is_held_by_the_other(const char *spelled)
{
    char error[PROBE_ERROR_BYTES] = "";
    struct pin_directory pins = {0};

    if (pin_holder(spelled) != other_agent)
        fail_msg("%s: %d", spelled, pin_holder(spelled));
    assert_int_equal(pin_take(&pins, spelled, false, NULL, error), -EBUSY);
}

static void test_one_directory_has_one_lock_however_it_is_spelled(void **state)
{
    char home[] = "/tmp/moonwatch-pins-XXXXXX", above[64], itself[64], spelled[160];
    const char *name = strrchr(loader.pins, '/') + 1;

    skip_unless_root();
    assert_non_null(mkdtemp(home));
    snprintf(above, sizeof(above), "%s/above", home);
    snprintf(itself, sizeof(itself), "%s/itself", home);
    assert_int_equal(symlink("/sys/fs/bpf", above), 0);
    snprintf(spelled, sizeof(spelled), "../..%s/", loader.pins);
    assert_int_equal(symlink(spelled, itself), 0);
    start_other_agent();
    for (int there = 1; there >= 0; there--) {
        snprintf(spelled, sizeof(spelled), "//sys/fs/./bpf//%s/", name);
        is_held_by_the_other(spelled);
        snprintf(spelled, sizeof(spelled), "/sys/fs/../fs/bpf/%s", name);
        is_held_by_the_other(spelled);
        snprintf(spelled, sizeof(spelled), "%s/%s", above, name);
        is_held_by_the_other(spelled);
        is_held_by_the_other(itself);
        if (there)
            remove_everything();
    }
    assert_int_equal(unlink(above), 0);
    assert_int_equal(unlink(itself), 0);
    assert_int_equal(rmdir(home), 0);
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

static int under_another_bpffs_only(void)
{
    int result = under_another_bpffs();

    loader_close(&loader);
    return result;
}

static void test_a_bpffs_that_is_unmounted_is_said(void **state)
{
    skip_unless_root();
    assert_int_equal(in_a_child(under_another_bpffs_only), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pins_that_somebody_removes_are_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_pin_removed_long_after_is_missed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_somebody_removes_is_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_lock_outlives_its_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_that_no_agent_holds_keeps_nobody_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_crowd_keeps_nobody_from_asking, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_directory_has_one_lock_however_it_is_spelled,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bpffs_that_is_unmounted_is_said, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
