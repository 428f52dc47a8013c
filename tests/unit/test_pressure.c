#include "tree.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const char both[] = "some avg10=12.34 avg60=5.00 avg300=0.07 total=1500000\n"
                           "full avg10=1.00 avg60=0.50 avg300=0.00 total=250000\n";

static void test_figures(void **state)
{
    struct tree *t = tree_create();
    const struct pressure_snapshot *p;

    tree_write(t, "proc/pressure/cpu", "some avg10=1.00 avg60=2.00 avg300=3.00 total=4\n");
    tree_write(t, "proc/pressure/memory", both);
    tree_write(t, "proc/pressure/io", both);
    tree_open(t, &pressure_collector);
    p = &tree_sample(t, 1)->pressure;
    assert_null(p->missing);
    assert_known(p->resource[PRESSURE_MEMORY].some.avg10_percent, 12.34);
    assert_known(p->resource[PRESSURE_MEMORY].some.avg300_percent, 0.07);
    assert_known(p->resource[PRESSURE_MEMORY].some.seconds_total, 1.5);
    assert_known(p->resource[PRESSURE_IO].full.avg60_percent, 0.5);
    assert_known(p->resource[PRESSURE_IO].full.seconds_total, 0.25);
    /* Kernels before 5.13 have no `full` for the CPU. */
    assert_known(p->resource[PRESSURE_CPU].some.avg60_percent, 2);
    assert_missing(p->resource[PRESSURE_CPU].full.avg60_percent, "not in");
    assert_non_null(p->triggers_missing);
    tree_destroy(t);
}

static void test_switched_off(void **state)
{
    struct tree *t = tree_create();
    const struct pressure_snapshot *p;

    tree_open(t, &pressure_collector);
    p = &tree_sample(t, 1)->pressure;
    assert_non_null(strstr(p->missing, "psi=1"));
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        assert_missing(p->resource[r].some.avg10_percent, "psi=1");
        assert_missing(p->resource[r].full.seconds_total, "psi=1");
    }
    tree_destroy(t);
}

static void test_garbled(void **state)
{
    static const char *const texts[] = {
        "",
        "some\n",
        "some avg10=1.00 avg60=2.00 avg300=3.00\n",
        "some avg10=1.00 avg60=2.00 avg300=3.00 total=-4\n",
        "some avg10=x avg60=2.00 avg300=3.00 total=4\n",
        "some avg60=2.00 avg10=1.00 avg300=3.00 total=4\n",
        "some avg10=1.00 avg60=2.00 avg300=3.00 total=4",
        "few avg10=1.00 avg60=2.00 avg300=3.00 total=4\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct tree *t = tree_create();

        tree_write(t, "proc/pressure/io", texts[i]);
        tree_open(t, &pressure_collector);
        assert_missing(tree_sample(t, 1)->pressure.resource[PRESSURE_IO].some.avg10_percent, "");
        tree_destroy(t);
    }
}

/* Three tasks that share one CPU: always two of them wait. */
#define SPINNERS 3
#define FIRE_WITHIN_SECONDS 60

struct firing {
    struct tree *tree;
    struct loop *loop;
    double fired;
    int looks;
};

static void look(void *ctx, uint64_t now_ns)
{
    struct firing *f = ctx;

    f->fired = tree_sample(f->tree, 0)->pressure.resource[PRESSURE_CPU].triggers_total;
    if (f->fired > 0 || f->looks++ > FIRE_WITHIN_SECONDS * 10)
        loop_stop(f->loop);
}

static pid_t spin(int cpu)
{
    pid_t parent = getpid(), pid = fork();
    cpu_set_t one;

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    if (getppid() != parent || sched_setaffinity(0, sizeof(one), &one) < 0)
        _exit(1);
    for (;;)
        ;
}

/* The kernel's own trigger on this host. */
static void test_trigger_fires(void **state)
{
    struct firing f = {.tree = tree_create()};
    struct loop_source *timer;
    pid_t pids[SPINNERS];
    int cpu = sched_getcpu(); /* one that is allowed */

    f.tree->host.proc = "/proc";
    f.tree->env.clock = clock_system();
    assert_int_equal(loop_create(&f.loop, clock_system()), 0);
    f.tree->env.loop = f.loop;
    tree_open(f.tree, &pressure_collector);
    if (tree_sample(f.tree, 0)->pressure.triggers_missing) {
        print_message("skipped: %s\n", f.tree->snapshot.pressure.triggers_missing);
        tree_destroy(f.tree);
        loop_destroy(f.loop);
        skip();
    }
    assert_int_equal(loop_add_timer(f.loop, &timer, 100 * NS_PER_MS, look, &f), 0);
    for (int i = 0; i < SPINNERS; i++)
        pids[i] = spin(cpu);
    assert_int_equal(loop_run(f.loop), 0);
    for (int i = 0; i < SPINNERS; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    tree_destroy(f.tree);
    loop_destroy(f.loop);
    assert_true(f.fired > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_switched_off),
        cmocka_unit_test(test_garbled),
        cmocka_unit_test(test_trigger_fires),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
