/* What programs cost, and shedding and retrying the costliest, with a clock the test moves. */
#include "loader_fixture.h"

static struct loader loader;

#define SAMPLE_NS (100 * NS_PER_MS)
#define RETRY_NS (30 * NS_PER_SECOND)

static int setup(void **state)
{
    loader_init(&loader);
    loader.config.stats_every_ns = 10 * NS_PER_SECOND;
    loader.config.stats_for_ns = SAMPLE_NS;
    loader.config.budget_retry_ns = RETRY_NS;
    return 0;
}

static int teardown(void **state)
{
    loader_close(&loader);
    return 0;
}

static uint64_t tick(uint64_t forward_ns)
{
    uint64_t next_ns = 1;

    loader.now_ns += forward_ns;
    probe_tick(loader.probe, loader.now_ns, &next_ns);
    return next_ns;
}

/* At least this much of the kernel's time: 20 times 500 records. */
static void make_costs(void)
{
    for (int i = 0; i < 20; i++) {
        flood_once();
        assert_true(probe_drain(loader.probe) >= 0);
    }
}

static void test_statistics_are_on_for_a_share_of_the_time(void **state)
{
    struct program_view view;
    struct probe_view whole;
    uint64_t next_ns;

    skip_unless_root();
    loader_open_flood(&loader);
    loader_arm_flood(&loader, 500);
    assert_false(loader_program(&loader, "flood").sampled);
    next_ns = tick(0);
    assert_int_equal(next_ns, loader.now_ns + SAMPLE_NS);
    make_costs();
    assert_int_equal(tick(SAMPLE_NS), 0);
    view = loader_program(&loader, "flood");
    assert_true(view.sampled);
    /* Every system call of the host runs it, ours among them. */
    assert_true(view.runs_sampled_total >= 20);
    assert_true(view.run_ns_sampled_total > 0);
    /* Runs were counted in real time, the sample lasted what the clock said. */
    assert_float_equal(view.runs_per_second, (double)view.runs_sampled_total / 0.1, 1e-6);
    assert_float_equal(view.ns_per_run,
                       (double)view.run_ns_sampled_total / (double)view.runs_sampled_total, 1e-6);
    assert_float_equal(view.cpu_percent, view.ns_per_run * view.runs_per_second / 1e7, 1e-6);
    probe_view(loader.probe, &whole);
    assert_true(whole.cpu_percent >= view.cpu_percent);
    assert_float_equal(whole.stats_seconds_total, 0.1, 1e-9);
    assert_null(whole.stats_missing);

    /* Off until the next sample is due. */
    make_costs();
    assert_int_equal(tick(9 * NS_PER_SECOND), 0);
    assert_int_equal(loader_program(&loader, "flood").runs_sampled_total, view.runs_sampled_total);
    next_ns = tick(NS_PER_SECOND);
    assert_int_equal(next_ns, loader.now_ns + SAMPLE_NS);
}

static void test_map_bytes_are_the_kernels(void **state)
{
    bool seen = false;

    skip_unless_root();
    loader_open_flood(&loader);
    for (size_t i = 0; i < probe_map_count(loader.probe); i++) {
        struct map_view view;

        probe_map_view(loader.probe, i, &view);
        assert_true(view.bytes > 0);
        if (strcmp(view.name, "events") == 0) {
            /* The records' room and the kernel's own bookkeeping. */
            assert_in_range(view.bytes, 1 << 16, (1 << 16) + (32 << 10));
            seen = true;
        }
    }
    assert_true(seen);
}

/* One sample, from switching the statistics on to judging. */
static void sample_costs(void)
{
    make_costs();
    tick(SAMPLE_NS);
}

static void assert_state(const char *name, enum program_state state)
{
    struct program_view view = loader_program(&loader, name);

    if (view.state != state)
        fail_msg("%s is %s (%s), not %s", name, program_state_name(view.state), view.reason,
                 program_state_name(state));
}

static uint64_t produced(void)
{
    struct probe_view view;

    probe_view(loader.probe, &view);
    return view.records[RECORD_SLOW_WAIT].produced;
}

static void test_the_costliest_is_shed_and_tried_again(void **state)
{
    struct program_view view;
    uint64_t before;

    skip_unless_root();
    /* The bystander runs whenever the host executes something: it must not cost as much. */
    loader.config.budget_percent = 0.1;
    loader_open_flood(&loader);
    loader_arm_flood(&loader, 500);
    tick(0);
    sample_costs();
    /* One sample over the budget may be a burst: another follows at once. */
    assert_state("flood", PROGRAM_ATTACHED);
    sample_costs();
    assert_state("flood", PROGRAM_SHED);
    assert_state("flood_partner", PROGRAM_SHED);
    assert_state("bystander", PROGRAM_ATTACHED);
    view = loader_program(&loader, "flood");
    assert_int_equal(view.shed_total, 1);
    assert_int_equal(view.retry_at_ns, loader.now_ns + RETRY_NS);
    assert_non_null(strstr(view.reason, "over budget: "));
    assert_non_null(strstr(view.reason, "allowed 0.1 %"));

    /* It is off: nothing is emitted any more, and the sum is within the budget. */
    before = produced();
    flood_once();
    assert_int_equal(produced(), before);
    tick(10 * NS_PER_SECOND);
    tick(SAMPLE_NS);
    assert_state("flood", PROGRAM_SHED);

    /* Tried again in time, it costs as much as before and goes again. */
    tick(RETRY_NS);
    assert_state("flood", PROGRAM_ATTACHED);
    assert_state("flood_partner", PROGRAM_ATTACHED);
    assert_string_equal(loader_program(&loader, "flood").reason, "");
    sample_costs();
    sample_costs();
    assert_state("flood", PROGRAM_SHED);
    assert_int_equal(loader_program(&loader, "flood").shed_total, 2);

    /* The next trial finds it quiet, and it stays. */
    loader_arm_flood(&loader, 0);
    tick(RETRY_NS);
    assert_state("flood", PROGRAM_ATTACHED);
}

static void test_a_burst_sheds_nothing(void **state)
{
    struct probe_view whole;

    skip_unless_root();
    /* Far above what an idle program costs, far below the flood. */
    loader.config.budget_percent = 0.1;
    loader_open_flood(&loader);
    loader_arm_flood(&loader, 500);
    tick(0);
    sample_costs();
    probe_view(loader.probe, &whole);
    assert_true(whole.cpu_percent > loader.config.budget_percent);
    loader_arm_flood(&loader, 0);
    /* A sample of ten minutes by the test's clock: what the host does meanwhile is next to nothing.
     */
    tick(600 * NS_PER_SECOND);
    assert_state("flood", PROGRAM_ATTACHED);
    loader_arm_flood(&loader, 500);
    tick(10 * NS_PER_SECOND);
    sample_costs();
    assert_state("flood", PROGRAM_ATTACHED);
}

static void test_without_a_budget_nothing_is_shed(void **state)
{
    skip_unless_root();
    loader_open_flood(&loader);
    loader_arm_flood(&loader, 500);
    tick(0);
    for (int i = 0; i < 4; i++) {
        sample_costs();
        tick(10 * NS_PER_SECOND);
    }
    assert_state("flood", PROGRAM_ATTACHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statistics_are_on_for_a_share_of_the_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_map_bytes_are_the_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_costliest_is_shed_and_tried_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_burst_sheds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_budget_nothing_is_shed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
