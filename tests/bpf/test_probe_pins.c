/* The pin directory: the lock between agents, what is in it, and what a killed agent leaves. */
#include "loader_fixture.h"
#include "probe/pin.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DEADLINE_NS (60 * NS_PER_SECOND)

static struct loader loader;
static pid_t other_agent;

static int setup(void **state)
{
    loader_init(&loader);
    return 0;
}

static int teardown(void **state)
{
    if (other_agent > 0) {
        kill(other_agent, SIGKILL);
        waitpid(other_agent, NULL, 0);
        other_agent = 0;
    }
    loader_close(&loader);
    rmdir(loader.pins);
    return 0;
}

/* Forks an agent that holds the test's pin directory until it is killed. */
static void start_other_agent(void)
{
    int ready[2];
    char said = 0;

    assert_int_equal(pipe(ready), 0);
    other_agent = fork();
    assert_true(other_agent >= 0);
    if (other_agent == 0) {
        if (loader_open(&loader, &flood_object, 1) < 0 || write(ready[1], "1", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &said, 1), 1);
    close(ready[0]);
}

static void kill_other_agent(void)
{
    kill(other_agent, SIGKILL);
    assert_int_equal(waitpid(other_agent, NULL, 0), other_agent);
    other_agent = 0;
}

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
