/* One program that the kernel refuses keeps its reason and takes no other down. */
#include "loader_fixture.h"
#include "refused.skel.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static struct loader loader;

static const struct object_row refused_object = {
    .concern = CONCERN_TCP,
    .elf_bytes = refused_bpf__elf_bytes,
    .groups =
        {
            {{{.method = "by load", .programs = {"load_first"}},
              {.method = "load twin", .programs = {"load_twin"}}}},
            {{{.method = "by need",
               .programs = {"need_first"},
               .needs = {"task_struct.pid", "task_struct.moonwatch"}},
              {.method = "need twin", .programs = {"need_twin"}}}},
            {{{.method = "by attach", .programs = {"attach_first"}},
              {.method = "attach twin", .programs = {"attach_twin"}}}},
            {{{.programs = {"pair_good", "pair_bad"}}}},
        },
};

static int setup(void **state)
{
    loader_init(&loader);
    return 0;
}

static int teardown(void **state)
{
    loader_close(&loader);
    return 0;
}

static void assert_refused(const char *name, const char *reason)
{
    struct program_view view = loader_program(&loader, name);

    if (view.state != PROGRAM_UNSUPPORTED || !strstr(view.reason, reason))
        fail_msg("%s is %s (%s), not unsupported (%s)", name, program_state_name(view.state),
                 view.reason, reason);
    assert_null(strchr(view.reason, '\n'));
}

static void assert_attached(const char *name)
{
    struct program_view view = loader_program(&loader, name);

    if (view.state != PROGRAM_ATTACHED || view.reason[0])
        fail_msg("%s is %s: %s", name, program_state_name(view.state), view.reason);
}

static void test_each_refusal_keeps_its_reason(void **state)
{
    const struct object_row rows[] = {refused_object, flood_object};

    skip_unless_root();
    assert_int_equal(loader_open(&loader, rows, 2), 0);
    assert_refused("bad_read", "invalid mem access 'scalar'");
    assert_refused("no_hook", "no tracepoint moonwatch_nowhere");
    assert_refused("no_attach", "No such file or directory");
    assert_refused("no_way", "kprobe/vfs_read");
    assert_attached("good");
    assert_attached("flood");
    assert_attached("bystander");
}

static void test_partners_stand_and_fall_together(void **state)
{
    skip_unless_root();
    assert_int_equal(loader_open(&loader, &refused_object, 1), 0);
    assert_refused("pair_bad", "invalid mem access");
    assert_refused("pair_good", "its partner pair_bad cannot run");
    assert_false(loader_program(&loader, "pair_bad").partner_refused);
    assert_true(loader_program(&loader, "pair_good").partner_refused);
}

static void test_a_refused_way_gives_place_to_its_twin(void **state)
{
    const char *reason = "";

    skip_unless_root();
    assert_int_equal(loader_open(&loader, &refused_object, 1), 0);
    assert_refused("load_first", "invalid mem access");
    assert_refused("need_first", "no task_struct.moonwatch");
    assert_refused("attach_first", "No such file or directory");
    assert_attached("load_twin");
    assert_attached("need_twin");
    assert_attached("attach_twin");
    assert_true(probe_concern_active(loader.probe, CONCERN_TCP, &reason));
    assert_string_equal(probe_concern_method(loader.probe, CONCERN_TCP), "load twin");
}

static void test_the_twin_can_be_forced(void **state)
{
    skip_unless_root();
    loader.config.mode[CONCERN_TCP] = PROBE_TWIN;
    assert_int_equal(loader_open(&loader, &refused_object, 1), 0);
    assert_attached("load_twin");
    assert_attached("good");
    assert_int_equal(loader_program(&loader, "load_first").state, PROGRAM_UNUSED);
    assert_string_equal(loader_program(&loader, "load_first").reason,
                        "its twin is forced by configuration");
}

static void test_a_probe_can_be_off(void **state)
{
    const char *reason = "";

    skip_unless_root();
    loader.config.mode[CONCERN_TCP] = PROBE_OFF;
    assert_int_equal(loader_open(&loader, &refused_object, 1), 0);
    for (size_t i = 0; i < probe_program_count(loader.probe); i++) {
        struct program_view view;

        probe_program_view(loader.probe, i, &view);
        assert_int_equal(view.state, PROGRAM_UNUSED);
        assert_string_equal(view.reason, "off by configuration");
    }
    assert_false(probe_concern_active(loader.probe, CONCERN_TCP, &reason));
    assert_string_equal(reason, "off by configuration");
    assert_int_equal(probe_ring_fd(loader.probe), -1);
    assert_int_equal(probe_drain(loader.probe), 0);
}

/* In a child, which the case may strip of whatever it likes. */
static void in_child(void (*strip)(void), const char *reason)
{
    pid_t child;
    int status = 0;

    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct program_view view = {.reason = "probe_create failed"};
        bool as_expected;

        strip();
        loader.config.pin_directory = NULL;
        if (loader_open(&loader, &flood_object, 1) == 0)
            view = loader_program(&loader, "flood");
        as_expected = view.state == PROGRAM_UNSUPPORTED && strstr(view.reason, reason);
        if (!as_expected)
            fprintf(stderr, "flood is %s: %s\n", program_state_name(view.state), view.reason);
        loader_close(&loader);
        _exit(as_expected ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void drop_root(void)
{
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        _exit(2);
}

static void hide_btf(void)
{
    /* libbpf also looks for an uncompressed kernel image where distributions put it. */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/sys/kernel/btf", "tmpfs", 0, NULL) < 0 ||
        mount("none", "/boot", "tmpfs", 0, NULL) < 0)
        _exit(2);
}

static void test_without_privileges_the_reason_names_them(void **state)
{
    skip_unless_root();
    in_child(drop_root, "CAP_BPF is missing");
}

static void test_without_btf_the_reason_names_it(void **state)
{
    skip_unless_root();
    in_child(hide_btf, "no kernel BTF at /sys/kernel/btf/vmlinux");
}

static void test_a_ring_of_an_impossible_size_is_an_error(void **state)
{
    loader.config.pin_directory = NULL;
    loader.config.ring_bytes = 100000;
    assert_int_equal(loader_open(&loader, &flood_object, 1), -EINVAL);
    assert_string_equal(loader.error, "ring_bytes 100000 is not a power of two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_refusal_keeps_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partners_stand_and_fall_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_way_gives_place_to_its_twin, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_twin_can_be_forced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_probe_can_be_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_privileges_the_reason_names_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_without_btf_the_reason_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_ring_of_an_impossible_size_is_an_error, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
