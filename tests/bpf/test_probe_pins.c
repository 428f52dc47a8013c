/* The pin directory: the lock between agents, what is in it, and what a killed agent leaves. */
#include "pins_fixture.h"
#include <sched.h>
#include <sys/mount.h>

#define DEADLINE_NS (60 * NS_PER_SECOND)

static void test_maps_are_pinned_and_gone_after(void **state)
{
    static const char *const pinned[] = {"events", "emit_stats", "map_drops", "wake_after",
                                         "flood_control"};
    struct probe_view view;
    char path[128];

    skip_unless_root();
    loader_open_flood(&loader);
    probe_view(loader.probe, &view);
    assert_string_equal(view.pin_directory, loader.pins);
    assert_null(view.unpinned_reason);
    for (size_t i = 0; i < sizeof(pinned) / sizeof(pinned[0]); i++)
        close(loader_map_fd(&loader, pinned[i]));
    loader_close(&loader);
    snprintf(path, sizeof(path), "%s", loader.pins);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_a_second_agent_is_refused(void **state)
{
    char expected[PROBE_ERROR_BYTES];

    skip_unless_root();
    start_other_agent();
    assert_int_equal(loader_open(&loader, &flood_object, 1), -EBUSY);
    snprintf(expected, sizeof(expected), "another moonwatch agent (pid %d) holds %s", other_agent,
             loader.pins);
    assert_string_equal(loader.error, expected);
    assert_int_equal(pin_holder(loader.pins), other_agent);
    /* The refused one has left the other's pins alone. */
    close(loader_map_fd(&loader, "events"));
}

/* Number of links to programs that use the map. */
static unsigned count_links(uint32_t map_id)
{
    unsigned count = 0;
    uint32_t id = 0;

    while (bpf_link_get_next_id(id, &id) == 0) {
        struct bpf_link_info link = {0};
        uint32_t link_size = sizeof(link), program_size = sizeof(struct bpf_prog_info);
        uint32_t map_ids[16] = {0};
        struct bpf_prog_info program = {.nr_map_ids = 16, .map_ids = (uintptr_t)map_ids};
        int link_fd = bpf_link_get_fd_by_id(id), program_fd = -1;

        if (link_fd >= 0 && bpf_obj_get_info_by_fd(link_fd, &link, &link_size) == 0)
            program_fd = bpf_prog_get_fd_by_id(link.prog_id);
        if (program_fd >= 0 && bpf_obj_get_info_by_fd(program_fd, &program, &program_size) == 0) {
            for (uint32_t i = 0; i < program.nr_map_ids && i < 16; i++)
                count += map_ids[i] == map_id;
        }
        if (program_fd >= 0)
            close(program_fd);
        if (link_fd >= 0)
            close(link_fd);
    }
    return count;
}

static uint32_t id_of_map(const char *name)
{
    struct bpf_map_info info = {0};
    uint32_t size = sizeof(info);
    int fd = loader_map_fd(&loader, name);

    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
    close(fd);
    return info.id;
}

static void test_a_killed_agent_leaves_no_probe_and_is_taken_over(void **state)
{
    uint64_t deadline = clock_monotonic_ns(clock_system()) + DEADLINE_NS;
    struct probe_view view;
    uint32_t stale;

    skip_unless_root();
    start_other_agent();
    stale = id_of_map("flood_control");
    assert_int_equal(count_links(stale), 1);
    kill_other_agent();
    /* The kernel lets go of the links in its own time. */
    while (count_links(stale) > 0) {
        assert_true(clock_monotonic_ns(clock_system()) < deadline);
        sched_yield();
    }
    close(loader_map_fd(&loader, "events"));
    assert_int_equal(pin_holder(loader.pins), 0);
    loader_open_flood(&loader);
    probe_view(loader.probe, &view);
    assert_true(view.pins_taken_over >= 4);
    assert_int_not_equal(id_of_map("flood_control"), stale);
}

static void refused_because_of(const char *pin)
{
    char expected[PROBE_ERROR_BYTES];

    assert_int_equal(loader_open(&loader, &flood_object, 1), -ENOTEMPTY);
    snprintf(expected, sizeof(expected),
             "%s holds %s, which is no agent's (set server.bpffs_directory to a directory of the "
             "agent's own)",
             loader.pins, pin);
    assert_string_equal(loader.error, expected);
}

static void test_what_others_have_pinned_is_left_alone(void **state)
{
    char path[128];

    skip_unless_root();
    assert_int_equal(mkdir(loader.pins, 0700), 0);
    pin_foreign("cilium_calls", "cilium_calls");
    refused_because_of("cilium_calls");
    unpin_foreign("cilium_calls");
    /* Called as one of ours, and not it. */
    pin_foreign("theirs", "events");
    refused_because_of("events");
    unpin_foreign("events");
    pin_foreign("theirs", "connect4_17");
    refused_because_of("connect4_17");
    unpin_foreign("connect4_17");
    snprintf(path, sizeof(path), "%s/tc", loader.pins);
    assert_int_equal(mkdir(path, 0700), 0);
    refused_because_of("tc");
    unpin_foreign("tc");
    loader_open_flood(&loader);
    /* Put there since, and beside what an agent has left: neither goes with it. */
    pin_foreign("theirs", "late");
    loader_close(&loader);
    unpin_foreign("late");
    assert_int_equal(rmdir(loader.pins), 0);
}

static void test_pins_of_another_version_are_cleaned_up(void **state)
{
    struct probe_view view;
    char path[128];

    skip_unless_root();
    assert_int_equal(mkdir(loader.pins, 0700), 0);
    pin_foreign("emit_stats", "emit_stats");
    pin_foreign("once_our_own_map", "once_our_own_map");
    loader_open_flood(&loader);
    probe_view(loader.probe, &view);
    assert_int_equal(view.pins_taken_over, 2);
    snprintf(path, sizeof(path), "%s/once_our_own_map", loader.pins);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_a_path_is_the_same_however_it_is_written(void **state)
{
    static const char *const ways[] = {"%s/", "%s//", "/%s", "%s/.", "/./%s/./"};
    static char expected[64], path[128]; /* the loader goes on with them */

    skip_unless_root();
    start_other_agent();
    snprintf(expected, sizeof(expected), "%s", loader.pins);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(path, sizeof(path), ways[i], expected);
#pragma GCC diagnostic pop
        loader.config.pin_directory = path;
        assert_int_equal(loader_open(&loader, &flood_object, 1), -EBUSY);
        assert_non_null(strstr(loader.error, expected));
    }
    loader.config.pin_directory = expected;
}

static void test_why_a_path_is_not_used(void **state)
{
    static const struct {
        const char *path, *reason;
    } cases[] = {
        {"/sys/fs/bpf/", "/sys/fs/bpf is where bpffs is mounted (a directory below it is wanted)"},
        {"moonwatch", "moonwatch is not the absolute path of a directory"},
        {"/nowhere/at/all", "/nowhere/at: No such file or directory"},
        {"//tmp//moonwatch//", "/tmp is not on a bpffs"},
    };
    struct pin_directory pins = {0};
    char error[PROBE_ERROR_BYTES];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(pin_take(&pins, cases[i].path, false, NULL, error), 0);
        assert_int_equal(pins.fd, -1);
        assert_string_equal(pins.unpinned_reason, cases[i].reason);
    }
}

static void test_a_directory_off_bpffs_is_not_used(void **state)
{
    struct probe_view view;
    static char path[64];

    skip_unless_root();
    snprintf(path, sizeof(path), "/tmp/moonwatch-no-bpffs-%d", getpid());
    loader.config.pin_directory = path;
    assert_int_equal(loader_open(&loader, &flood_object, 1), 0);
    probe_view(loader.probe, &view);
    assert_null(view.pin_directory);
    assert_string_equal(view.unpinned_reason, "/tmp is not on a bpffs");
    assert_int_equal(loader_program(&loader, "flood").state, PROGRAM_ATTACHED);
    assert_int_equal(access(path, F_OK), -1);
}

static int without_bpffs(bool mountable)
{
    struct probe_view view;
    const char *unpinned;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 2;
    while (umount2("/sys/fs/bpf", MNT_DETACH) == 0)
        ;
    /* Without the directory there is nothing to mount on. */
    if (!mountable && mount("none", "/sys/fs", "tmpfs", 0, NULL) < 0)
        return 2;
    if (loader_open(&loader, &flood_object, 1) < 0)
        return 3;
    probe_view(loader.probe, &view);
    unpinned = view.unpinned_reason;
    if (mountable)
        return view.pin_directory && access(loader.pins, F_OK) == 0 ? 0 : 4;
    if (!unpinned || !strstr(unpinned, "cannot be mounted: No such file or directory"))
        return 5;
    return loader_program(&loader, "flood").state == PROGRAM_ATTACHED ? 0 : 6;
}

static void run_without_bpffs(bool mountable)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        int result = without_bpffs(mountable);

        loader_close(&loader);
        _exit(result);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_bpffs_is_mounted_when_missing(void **state)
{
    skip_unless_root();
    run_without_bpffs(true);
}

static void test_without_bpffs_the_probes_run_unpinned(void **state)
{
    skip_unless_root();
    run_without_bpffs(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_others_have_pinned_is_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pins_of_another_version_are_cleaned_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_path_is_the_same_however_it_is_written, setup,
                                        teardown),
        cmocka_unit_test(test_why_a_path_is_not_used),
        cmocka_unit_test_setup_teardown(test_maps_are_pinned_and_gone_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_second_agent_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_killed_agent_leaves_no_probe_and_is_taken_over,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_off_bpffs_is_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bpffs_is_mounted_when_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_bpffs_the_probes_run_unpinned, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
