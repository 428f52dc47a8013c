#include "tree.h"

static const struct process_snapshot *sample(struct tree *t, const char *loadavg,
                                             const char *pid_max, const char *threads_max,
                                             const char *file_nr)
{
    tree_write(t, "proc/loadavg", loadavg);
    tree_write(t, "proc/sys/kernel/pid_max", pid_max);
    tree_write(t, "proc/sys/kernel/threads-max", threads_max);
    tree_write(t, "proc/sys/fs/file-nr", file_nr);
    if (!t->collector)
        tree_open(t, &process_collector);
    return &tree_sample(t, 1)->process;
}

static void counts_and_limits(void **state)
{
    struct tree *t = tree_create();
    const struct process_snapshot *p =
        sample(t, "0.20 0.18 0.12 1/800 11206\n", "32000\n", "16000\n", "1200 0 8000\n");

    (void)state;
    assert_known(p->threads, 800);
    assert_known(p->pid_limit, 32000);
    assert_known(p->threads_limit, 16000);
    assert_known(p->pid_usage_percent, 5);
    assert_known(p->files_open, 1200);
    assert_known(p->files_limit, 8000);
    assert_known(p->files_usage_percent, 15);
    p = sample(t, "0.20 0.18 0.12 1/800 11206\n", "8000\n", "16000\n",
               "1200\t0\t9223372036854775807\n");
    assert_known(p->pid_usage_percent, 10);
    assert_known(p->files_usage_percent, 0);
    tree_destroy(t);
}

static void without_probes_the_reason_is_said(void **state)
{
    struct tree *t = tree_create();
    const struct process_snapshot *p =
        sample(t, "0.20 0.18 0.12 1/800 11206\n", "32000\n", "16000\n", "1200 0 8000\n");

    (void)state;
    assert_missing(p->processes, "BPF");
    assert_string_equal(p->top_missing, "no BPF");
    assert_string_equal(p->lifecycle_missing, "no BPF");
    assert_missing(p->forks_per_second, "BPF");
    assert_null(p->tasks);
    for (int order = 0; order < TOP_ORDER_COUNT; order++)
        assert_int_equal(p->top_count[order], 0);
    tree_destroy(t);
}

static void what_cannot_be_read_is_missing(void **state)
{
    struct tree *t = tree_create();
    const struct process_snapshot *p;

    (void)state;
    tree_open(t, &process_collector);
    p = &tree_sample(t, 1)->process;
    assert_missing(p->threads, "loadavg");
    assert_missing(p->pid_limit, "pid_max");
    assert_missing(p->threads_limit, "threads-max");
    assert_missing(p->pid_usage_percent, "loadavg");
    assert_missing(p->files_open, "file-nr");
    assert_missing(p->files_usage_percent, "file-nr");
    /* They come back. */
    p = sample(t, "0.20 0.18 0.12 1/800 11206\n", "32000\n", "16000\n", "1200 0 8000\n");
    assert_known(p->threads, 800);
    tree_destroy(t);
}

static void cut_and_garbled_files_are_missing(void **state)
{
    static const char *const loadavgs[] = {"", "0.20 0.18 0.12 1/8", "0.20 0.18\n",
                                           "0.20 0.18 0.12 1800 5\n", "0.20 0.18 0.12 1/x 5\n"};
    static const char *const file_nrs[] = {"", "1200\t0\t80", "1200 0\n", "a b c\n", "-1 0 9\n"};
    struct tree *t = tree_create();

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const struct process_snapshot *p = sample(t, loadavgs[i], "32", "\n", file_nrs[i]);

        assert_missing(p->threads, "loadavg");
        assert_missing(p->files_open, "file-nr");
        assert_missing(p->files_limit, "file-nr");
        assert_missing(p->pid_limit, "pid_max");
        assert_missing(p->threads_limit, "threads-max");
        assert_missing(p->pid_usage_percent, "loadavg");
    }
    tree_destroy(t);
}

static void one_limit_is_enough(void **state)
{
    struct tree *t = tree_create();
    const struct process_snapshot *p =
        sample(t, "0.20 0.18 0.12 1/800 11206\n", "", "16000\n", "1200 0 0\n");

    (void)state;
    assert_known(p->pid_usage_percent, 5);
    assert_missing(p->files_usage_percent, "limit");
    tree_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_limits),
        cmocka_unit_test(without_probes_the_reason_is_said),
        cmocka_unit_test(what_cannot_be_read_is_missing),
        cmocka_unit_test(cut_and_garbled_files_are_missing),
        cmocka_unit_test(one_limit_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
