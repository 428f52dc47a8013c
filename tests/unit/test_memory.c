#include "tree.h"

static const char meminfo[] = "MemTotal:       16384000 kB\n"
                              "MemFree:         1000000 kB\n"
                              "MemAvailable:    4096000 kB\n"
                              "Buffers:           10000 kB\n"
                              "Cached:           300000 kB\n"
                              "SwapCached:            7 kB\n"
                              "SwapTotal:       2000000 kB\n"
                              "SwapFree:        1500000 kB\n"
                              "Dirty:               120 kB\n"
                              "Writeback:             8 kB\n"
                              "Slab:              55000 kB\n"
                              "SReclaimable:      33000 kB\n"
                              "HugePages_Total:      16\n"
                              "HugePages_Free:        4\n"
                              "Hugepagesize:       2048 kB\n";
static const char vmstat[] = "nr_free_pages 1\npswpin 11\npswpout 22\npgfault 9\npgmajfault 33\n"
                             "oom_kill 2\n";

static const struct memory_snapshot *sample(struct tree *t, const char *info, const char *stat)
{
    tree_write(t, "proc/meminfo", info);
    tree_write(t, "proc/vmstat", stat);
    if (!t->collector)
        tree_open(t, &memory_collector);
    return &tree_sample(t, 1)->memory;
}

static void test_figures(void **state)
{
    struct tree *t = tree_create();
    const struct memory_snapshot *m = sample(t, meminfo, vmstat);

    assert_null(m->missing);
    assert_known(m->total_bytes, 16384000.0 * 1024);
    assert_known(m->free_bytes, 1000000.0 * 1024);
    assert_known(m->available_bytes, 4096000.0 * 1024);
    assert_known(m->usage_percent, 75);
    assert_known(m->buffers_bytes, 10000.0 * 1024);
    assert_known(m->cached_bytes, 300000.0 * 1024);
    assert_known(m->dirty_bytes, 120.0 * 1024);
    assert_known(m->writeback_bytes, 8.0 * 1024);
    assert_known(m->slab_bytes, 55000.0 * 1024);
    assert_known(m->slab_reclaimable_bytes, 33000.0 * 1024);
    assert_known(m->swap_total_bytes, 2000000.0 * 1024);
    assert_known(m->swap_usage_percent, 25);
    assert_known(m->hugepages_total, 16);
    assert_known(m->hugepages_free, 4);
    assert_known(m->hugepage_size_bytes, 2048.0 * 1024);
    assert_known(m->swap_in_pages_total, 11);
    assert_known(m->swap_out_pages_total, 22);
    assert_known(m->major_faults_total, 33);
    assert_known(m->oom_kills_total, 2);
    tree_destroy(t);
}

/* The order of the lines has changed between kernels. */
static void test_any_order(void **state)
{
    struct tree *t = tree_create();
    const struct memory_snapshot *m =
        sample(t, "SwapFree: 10 kB\nMemAvailable: 1 kB\nMemTotal: 4 kB\nSwapTotal: 40 kB\n",
               "oom_kill 5\npswpin 4\n");

    assert_known(m->usage_percent, 75);
    assert_known(m->swap_usage_percent, 75);
    assert_known(m->oom_kills_total, 5);
    assert_known(m->swap_in_pages_total, 4);
    assert_missing(m->swap_out_pages_total, "no swap");
    tree_destroy(t);
}

static void test_no_swap_no_estimate_no_hugepages(void **state)
{
    struct tree *t = tree_create();
    const struct memory_snapshot *m = sample(
        t, "MemTotal: 4000 kB\nMemFree: 9 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n", "pgmajfault 1\n");

    assert_missing(m->swap_usage_percent, "no swap");
    assert_known(m->swap_total_bytes, 0);
    assert_missing(m->available_bytes, "MemAvailable");
    assert_missing(m->usage_percent, "MemAvailable");
    assert_missing(m->arc_reclaimable_bytes, "ZFS is not loaded");
    assert_missing(m->hugepages_total, "huge page");
    assert_missing(m->hugepage_size_bytes, "huge page");
    assert_missing(m->oom_kills_total, "not in /proc/vmstat");
    tree_destroy(t);
}

static void test_available_above_total(void **state)
{
    struct tree *t = tree_create();

    assert_known(sample(t, "MemTotal: 10 kB\nMemAvailable: 20 kB\n", "a 1\n")->usage_percent, 0);
    tree_destroy(t);
}

static void test_garbled(void **state)
{
    struct tree *t = tree_create();
    const struct memory_snapshot *m =
        sample(t, "MemTotal: lots kB\nMemFree:\nMemAvailable -5 kB\n\xff\xff: 3\nSlab: 7kB\n",
               "oom_kill\npswpin 1x\n\n");

    assert_missing(m->total_bytes, "not in /proc/meminfo");
    assert_non_null(m->missing);
    assert_missing(m->free_bytes, "not in");
    assert_missing(m->slab_bytes, "not in");
    assert_missing(m->usage_percent, "not in");
    assert_missing(m->oom_kills_total, "not in");
    m = sample(t, "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "oom_kill 0\n");
    assert_missing(m->usage_percent, "MemTotal is 0");
    assert_known(m->oom_kills_total, 0);
    tree_destroy(t);
}

/* 32 GiB of which ZFS caches 24: MemAvailable knows nothing of these. */
static void test_zfs_cache_is_available(void **state)
{
    struct tree *t = tree_create();
    const struct memory_snapshot *m;

    tree_write(t, "proc/spl/kstat/zfs/arcstats",
               "13 1 0x01 147 39984 4400000000 99000000000\n"
               "name                            type data\n"
               "size                            4    25769803776\n"
               "c                               4    26843545600\n"
               "c_min                           4    1048936704\n"
               "c_max                           4    26843545600\n");
    m = sample(t, "MemTotal: 32780000 kB\nMemFree: 1200000 kB\nMemAvailable: 1900000 kB\n",
               "oom_kill 0\n");
    assert_known(m->arc_reclaimable_bytes, 25769803776.0 - 1048936704.0);
    assert_true(m->usage_percent.value > 20.5 && m->usage_percent.value < 20.6);
    /* Without the kernel's own estimate there is nothing to add to. */
    m = sample(t, "MemTotal: 32780000 kB\nMemFree: 1200000 kB\n", "oom_kill 0\n");
    assert_missing(m->usage_percent, "MemAvailable");
    tree_write(t, "proc/spl/kstat/zfs/arcstats", "size 4 100\nc_min 4 200\n");
    m = sample(t, meminfo, vmstat);
    assert_known(m->arc_reclaimable_bytes, 0);
    assert_known(m->usage_percent, 75);
    tree_write(t, "proc/spl/kstat/zfs/arcstats", "size 4 99999999999999\nc_min 4 1\n");
    assert_known(sample(t, meminfo, vmstat)->usage_percent, 0);
    tree_write(t, "proc/spl/kstat/zfs/arcstats", "size 4 many\n");
    m = sample(t, meminfo, vmstat);
    assert_missing(m->arc_reclaimable_bytes, "no size");
    assert_known(m->usage_percent, 75);
    tree_remove(t, "proc/spl");
    tree_destroy(t);
}

static void test_unreadable(void **state)
{
    struct tree *t = tree_create();
    const struct memory_snapshot *m;

    tree_open(t, &memory_collector);
    m = &tree_sample(t, 1)->memory;
    assert_string_equal(m->missing, "/proc/meminfo: No such file or directory");
    assert_missing(m->usage_percent, "No such file");
    assert_missing(m->swap_usage_percent, "No such file");
    assert_missing(m->major_faults_total, "/proc/vmstat: No such file");
    tree_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_no_swap_no_estimate_no_hugepages),
        cmocka_unit_test(test_available_above_total),
        cmocka_unit_test(test_garbled),
        cmocka_unit_test(test_zfs_cache_is_available),
        cmocka_unit_test(test_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
