#include "tree.h"

#define LOADAVG "0.52 0.40 12.31 3/412 90210\n"
#define COUNTS                                                                                     \
    "intr 1 2 3\nctxt 987654321\nbtime 1700000000\nprocesses 77\nprocs_running 3\n"                \
    "procs_blocked 1\nsoftirq 9 1 2\n"

static void assert_ticks(double seconds, double ticks)
{
    assert_known(reading_of(seconds * (double)sysconf(_SC_CLK_TCK)), ticks);
}

static struct tree *with_stat(const char *cpus)
{
    struct tree *t = tree_create();
    char text[4096];

    snprintf(text, sizeof(text), "%s%s", cpus, COUNTS);
    tree_write(t, "proc/stat", text);
    tree_write(t, "proc/loadavg", LOADAVG);
    tree_open(t, &cpu_collector);
    return t;
}

static const struct cpu_snapshot *next(struct tree *t, const char *cpus)
{
    char text[4096];

    snprintf(text, sizeof(text), "%s%s", cpus, COUNTS);
    tree_write(t, "proc/stat", text);
    return &tree_sample(t, 1)->cpu;
}

static void test_shares_of_the_interval(void **state)
{
    struct tree *t = with_stat("cpu  100 10 50 800 20 5 5 10 0 0\n");
    const struct cpu_snapshot *cpu = &tree_sample(t, 0)->cpu;

    assert_null(cpu->missing);
    assert_missing(cpu->total.usage_percent, "two samples");
    assert_missing(cpu->total.percent[CPU_STEAL], "two samples");
    assert_known(cpu->load1, 0.52);
    assert_known(cpu->load15, 12.31);
    assert_known(cpu->runnable, 3);
    assert_known(cpu->blocked, 1);
    assert_known(cpu->context_switches_total, 987654321);
    assert_known(cpu->boot_time_seconds, 1700000000);

    cpu = next(t, "cpu  150 10 70 900 30 5 5 30 50 0\n");
    assert_known(cpu->total.percent[CPU_USER], 25);
    assert_known(cpu->total.percent[CPU_NICE], 0);
    assert_known(cpu->total.percent[CPU_SYSTEM], 10);
    assert_known(cpu->total.percent[CPU_IDLE], 50);
    assert_known(cpu->total.percent[CPU_IOWAIT], 5);
    assert_known(cpu->total.percent[CPU_STEAL], 10);
    assert_known(cpu->total.usage_percent, 45);
    assert_ticks(cpu->total.seconds_total[CPU_USER], 150);
    tree_destroy(t);
}

/* iowait and idle may step back; nothing may become negative or more than 100, and the way back up
 * counts only beyond where the counter had been. */
static void test_counters_that_step_back(void **state)
{
    struct tree *t = with_stat("cpu  100 0 0 1000 200 0 0 0\n");
    const struct cpu_snapshot *cpu;

    tree_sample(t, 0);
    cpu = next(t, "cpu  150 0 0 1050 150 0 0 0\n");
    assert_known(cpu->total.percent[CPU_IOWAIT], 0);
    assert_known(cpu->total.usage_percent, 50);
    cpu = next(t, "cpu  150 0 0 1100 200 0 0 0\n");
    assert_known(cpu->total.percent[CPU_IOWAIT], 0);
    assert_known(cpu->total.usage_percent, 0);
    assert_ticks(cpu->total.seconds_total[CPU_IOWAIT], 200);
    tree_destroy(t);
}

static void test_counters_that_begin_anew(void **state)
{
    struct tree *t = with_stat("cpu  90000 0 0 100000 200 0 0 0\n");
    const struct cpu_snapshot *cpu;

    tree_sample(t, 0);
    cpu = next(t, "cpu  10 0 0 20 0 0 0 0\n");
    assert_missing(cpu->total.usage_percent, "anew");
    cpu = next(t, "cpu  20 0 0 50 0 0 0 0\n");
    assert_known(cpu->total.usage_percent, 25);
    tree_destroy(t);
}

static void test_no_time_passed(void **state)
{
    struct tree *t = with_stat("cpu  90 0 0 100 200 0 0 0\n");

    tree_sample(t, 0);
    assert_missing(next(t, "cpu  90 0 0 100 200 0 0 0\n")->total.usage_percent, "no time");
    tree_destroy(t);
}

/* Cores are told apart by id, however sparse, and a core that comes back is new. */
static void test_cores_come_and_go(void **state)
{
    struct tree *t = with_stat("cpu  0 0 0 0 0 0 0 0\n"
                               "cpu0 0 0 0 0 0 0 0 0\ncpu2 0 0 0 0 0 0 0 0\n"
                               "cpu130 0 0 0 0 0 0 0 0\n");
    const struct cpu_snapshot *cpu = &tree_sample(t, 0)->cpu;

    assert_int_equal(cpu->core_count, 3);
    cpu = next(t, "cpu  0 0 0 9 0 0 0 0\ncpu0 10 0 0 90 0 0 0 0\ncpu130 60 0 0 40 0 0 0 0\n");
    assert_int_equal(cpu->core_count, 2);
    assert_int_equal(cpu->cores[1].id, 130);
    assert_known(cpu->cores[0].times.usage_percent, 10);
    assert_known(cpu->cores[1].times.usage_percent, 60);
    cpu = next(t, "cpu  0 0 0 10 0 0 0 0\ncpu0 20 0 0 180 0 0 0 0\ncpu1 7 0 0 3 0 0 0 0\n"
                  "cpu2 50 0 0 50 0 0 0 0\ncpu130 60 0 0 140 0 0 0 0\n");
    assert_int_equal(cpu->core_count, 4);
    assert_known(cpu->cores[0].times.usage_percent, 10);
    assert_missing(cpu->cores[1].times.usage_percent, "two samples");
    assert_missing(cpu->cores[2].times.usage_percent, "two samples");
    assert_known(cpu->cores[3].times.usage_percent, 0);
    tree_destroy(t);
}

static void test_many_cores(void **state)
{
    static char text[64 * 1024];
    struct tree *t = tree_create();
    size_t len = (size_t)sprintf(text, "cpu  1 1 1 1 1 1 1 1\n");
    const struct cpu_snapshot *cpu;

    for (int i = 0; i < 512; i++)
        len += (size_t)sprintf(text + len, "cpu%d %d 0 0 100 0 0 0 0 0 0\n", i, i);
    tree_write(t, "proc/stat", text);
    tree_open(t, &cpu_collector);
    cpu = &tree_sample(t, 0)->cpu;
    assert_int_equal(cpu->core_count, 512);
    assert_ticks(cpu->cores[511].times.seconds_total[CPU_USER], 511);
    assert_missing(cpu->load1, "No such file");
    assert_missing(cpu->runnable, "not in");
    tree_destroy(t);
}

static void test_garbled(void **state)
{
    static const char *const texts[] = {
        "cpu  1 2 3\n",
        "cpu  1 2 3 x 5 6 7 8\n",
        "cpu  -1 2 3 4 5 6 7 8\n",
        "cpu  99999999999999999999999 2 3 4 5 6 7 8\n",
        "cpux 1 2 3 4 5 6 7 8\ncpu99999999999 1 2 3 4 5 6 7 8\n",
        "\n\n \t \n\x01\xff\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct tree *t = tree_create();
        const struct cpu_snapshot *cpu;

        tree_write(t, "proc/stat", texts[i]);
        tree_write(t, "proc/loadavg", "0.1x 0 none\n");
        tree_open(t, &cpu_collector);
        tree_sample(t, 0);
        cpu = &tree_sample(t, 1)->cpu;
        assert_int_equal(cpu->core_count, 0);
        assert_missing(cpu->total.usage_percent, "not in /proc/stat");
        assert_true(isnan(cpu->total.seconds_total[CPU_USER]));
        assert_missing(cpu->load1, "garbled");
        tree_destroy(t);
    }
}

static void test_unreadable(void **state)
{
    struct tree *t = tree_create();
    const struct cpu_snapshot *cpu;

    tree_open(t, &cpu_collector);
    cpu = &tree_sample(t, 0)->cpu;
    assert_string_equal(cpu->missing, "/proc/stat: No such file or directory");
    assert_missing(cpu->total.usage_percent, "No such file");
    assert_missing(cpu->runnable, "No such file");
    tree_write(t, "proc/stat", "");
    assert_missing(tree_sample(t, 1)->cpu.total.usage_percent, "/proc/stat");
    tree_destroy(t);
}

static void test_names(void **state)
{
    for (int mode = 0; mode < CPU_MODE_COUNT; mode++)
        assert_non_null(cpu_mode_name((enum cpu_mode)mode));
    assert_string_equal(cpu_mode_name(CPU_SOFTIRQ), "softirq");
    assert_string_equal(cpu_mode_name((enum cpu_mode)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_of_the_interval),
        cmocka_unit_test(test_counters_that_step_back),
        cmocka_unit_test(test_counters_that_begin_anew),
        cmocka_unit_test(test_no_time_passed),
        cmocka_unit_test(test_cores_come_and_go),
        cmocka_unit_test(test_many_cores),
        cmocka_unit_test(test_garbled),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
