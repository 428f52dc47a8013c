#include "collect/block_devices.h"
#include "tree.h"

/* reads merged sectors ms, writes merged sectors ms, in flight, io ms, weighted ms */
static const char usual[] = "   1       0 ram0 0 0 0 0 0 0 0 0 0 0 0\n"
                            "   7       0 loop0 5 0 10 1 0 0 0 0 0 4 1 0 0 0 0 0 0\n"
                            "   7       1 loop1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
                            "   8       0 sda 100 1 2000 50 200 2 4000 80 3 1000 130 0 0 0 0 0 0\n"
                            "   8       1 sda1 90 1 1900 50 190 2 3900 80 0 900 130 0 0 0 0 0 0\n"
                            "   8      16 sdaa 7 0 8 0 0 0 0 0 0 0 0\n"
                            " 259       0 nvme0n1 10 0 20 0 0 0 0 0 0 0 0\n"
                            " 259       1 nvme0n1p1 10 0 20 0 0 0 0 0 0 0 0\n"
                            " 259       2 nvme0n1p12 10 0 20 0 0 0 0 0 0 0 0\n"
                            " 253       1 dm-1 1 0 2 0 0 0 0 0 0 0 0\n"
                            " 253      10 dm-10 1 0 2 0 0 0 0 0 0 0 0\n"
                            " 104       0 cciss/c0d0 1 0 2 0 0 0 0 0 0 0 0\n"
                            " 202       1 xvda1 1 0 2 0 0 0 0 0 0 0 0\n";

struct view {
    struct tree *tree;
    struct block_devices *devices;
    struct disk_snapshot disk;
};

static void open_view(struct view *v, const char *diskstats)
{
    v->tree = tree_create();
    if (diskstats)
        tree_write(v->tree, "proc/diskstats", diskstats);
    tree_write(v->tree, "sys/block/loop1/size", "0\n");
    tree_write(v->tree, "sys/block/loop0/size", "8192\n");
    assert_int_equal(block_devices_create(&v->devices, &v->tree->host), 0);
}

static void sample(struct view *v, double seconds)
{
    v->tree->now_ns += (uint64_t)(seconds * 1e9);
    block_devices_sample(v->devices, v->tree->now_ns, &v->disk);
}

static void close_view(struct view *v)
{
    block_devices_destroy(v->devices);
    tree_destroy(v->tree);
}

static const struct block_device *find(const struct view *v, const char *name)
{
    for (size_t i = 0; i < v->disk.device_count; i++)
        if (strcmp(v->disk.devices[i].name, name) == 0)
            return &v->disk.devices[i];
    return NULL;
}

static void test_whole_devices_only(void **state)
{
    static const char *const wanted[] = {"loop0", "sda",   "sdaa",       "nvme0n1",
                                         "dm-1",  "dm-10", "cciss/c0d0", "xvda1"};
    struct view v;

    open_view(&v, usual);
    tree_write(v.tree, "sys/block/cciss!c0d0/size", "4\n");
    sample(&v, 0);
    assert_null(v.disk.devices_missing);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!find(&v, wanted[i]))
            fail_msg("no row for %s", wanted[i]);
    assert_int_equal(v.disk.device_count, sizeof(wanted) / sizeof(wanted[0]));
    close_view(&v);
}

static void test_figures(void **state)
{
    const struct block_device *sda;
    struct view v;

    open_view(&v, usual);
    sample(&v, 0);
    sda = find(&v, "sda");
    assert_int_equal(sda->device, 8 << 20);
    assert_true(sda->reads_total == 100 && sda->writes_total == 200);
    assert_true(sda->read_bytes_total == 2000 * 512 && sda->written_bytes_total == 4000 * 512);
    assert_true(sda->io_seconds_total == 1);
    assert_known(sda->in_flight, 3);
    assert_missing(sda->busy_percent, "two samples");
    tree_write(v.tree, "proc/diskstats", "8 0 sda 1 1 1 1 1 1 1 1 1 1250 1\n");
    sample(&v, 1);
    assert_known(find(&v, "sda")->busy_percent, 25);
    tree_write(v.tree, "proc/diskstats", "8 0 sda 1 1 1 1 1 1 1 1 1 9999 1\n");
    sample(&v, 1);
    assert_known(find(&v, "sda")->busy_percent, 100);
    close_view(&v);
}

/* The time busy is an unsigned int of milliseconds in the kernel. */
static void test_busy_time_wraps(void **state)
{
    struct view v;

    open_view(&v, "8 0 sda 1 1 1 1 1 1 1 1 0 4294967196 1\n");
    sample(&v, 0);
    tree_write(v.tree, "proc/diskstats", "8 0 sda 1 1 1 1 1 1 1 1 0 400 1\n");
    sample(&v, 1);
    assert_known(find(&v, "sda")->busy_percent, 50);
    assert_known(reading_of(find(&v, "sda")->io_seconds_total), 4294967.196 + 0.5);
    close_view(&v);
}

static void test_device_is_replaced(void **state)
{
    struct view v;

    open_view(&v, "8 0 sda 9 9 9 9 9 9 9 9 0 5000 1\n");
    sample(&v, 0);
    tree_write(v.tree, "proc/diskstats", "8 0 sdb 1 1 1 1 1 1 1 1 0 100 1\n");
    sample(&v, 1);
    assert_missing(find(&v, "sdb")->busy_percent, "two samples");
    assert_known(reading_of(find(&v, "sdb")->io_seconds_total), 0.1);
    tree_write(v.tree, "proc/diskstats", "8 16 sdc 1 1 1 1 1 1 1 1 0 100 1\n");
    sample(&v, 1);
    tree_write(v.tree, "proc/diskstats", "8 0 sdb 1 1 1 1 1 1 1 1 0 20 1\n");
    sample(&v, 1);
    assert_missing(find(&v, "sdb")->busy_percent, "two samples");
    close_view(&v);
}

/* A loop device gets its file later. */
static void test_capacity_comes_later(void **state)
{
    struct view v;

    open_view(&v, usual);
    sample(&v, 0);
    assert_null(find(&v, "loop1"));
    tree_write(v.tree, "sys/block/loop1/size", "16\n");
    sample(&v, 31);
    assert_non_null(find(&v, "loop1"));
    close_view(&v);
}

static void test_garbled(void **state)
{
    struct view v;

    open_view(&v, "8 0 sda 1 2 3\nx 0 sdb 1 1 1 1 1 1 1 1 1 1 1\n"
                  "8 9999999999 sdc 1 1 1 1 1 1 1 1 1 1 1\n"
                  "8 32 sdd 1 1 1 1 1 1 1 1 18446744073709551615 1 1\n");
    sample(&v, 0);
    assert_int_equal(v.disk.device_count, 1);
    assert_missing(find(&v, "sdd")->in_flight, "out of step");
    close_view(&v);
}

static void test_unreadable(void **state)
{
    struct view v;

    open_view(&v, NULL);
    sample(&v, 0);
    assert_string_equal(v.disk.devices_missing, "/proc/diskstats: No such file or directory");
    tree_write(v.tree, "proc/diskstats", "");
    sample(&v, 1);
    assert_string_equal(v.disk.devices_missing, "the host has no block device");
    close_view(&v);
}

/* A host with more devices than there are rows: the disks first, then what is used. */
static void test_bounded(void **state)
{
    static char text[128 * 1024];
    size_t len = 0;
    struct view v;

    for (int i = 0; i < 1400; i++)
        len += (size_t)sprintf(text + len, "253 %d dm-%d 1 1 1 1 1 1 %d 1 0 1 1\n", i, i, i);
    sprintf(text + len, "8 0 sda 0 0 0 0 0 0 0 0 0 0 0\n8 16 sdb 0 0 0 0 1 0 1 0 0 0 0\n");
    open_view(&v, text);
    tree_write(v.tree, "sys/block/sda/device/model", "x\n");
    tree_write(v.tree, "sys/block/sdb/device/model", "x\n");
    sample(&v, 0);
    sample(&v, 1);
    assert_string_equal(v.disk.devices[0].name, "sdb");
    assert_string_equal(v.disk.devices[1].name, "sda");
    assert_string_equal(v.disk.devices[2].name, "dm-1399");
    assert_true(v.disk.devices_omitted > 0);
    assert_int_equal(v.disk.device_count + v.disk.devices_omitted, 1402);
    close_view(&v);
}

/* What has nothing behind it takes nobody's place. */
static void test_idle_devices_hide_nothing(void **state)
{
    static char text[32 * 1024];
    char path[64];
    size_t len = 0;
    struct view v;

    for (int i = 0; i < 260; i++)
        len += (size_t)sprintf(text + len, "  43 %d nbd%d 0 0 0 0 0 0 0 0 0 0 0\n", 32 * i, i);
    open_view(&v, text);
    for (int i = 0; i < 260; i++) {
        snprintf(path, sizeof(path), "sys/block/nbd%d/size", i);
        tree_write(v.tree, path, "0\n");
    }
    sample(&v, 0);
    assert_string_equal(v.disk.devices_missing, "no block device with capacity in /proc/diskstats");
    sprintf(text + len, "   8       0 sda 100 1 2000 50 200 2 4000 80 3 1000 130\n");
    tree_write(v.tree, "proc/diskstats", text);
    sample(&v, 1);
    assert_null(v.disk.devices_missing);
    assert_non_null(find(&v, "sda"));
    assert_int_equal(v.disk.device_count, 1);
    assert_int_equal(v.disk.devices_omitted, 0);
    close_view(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_devices_only),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_busy_time_wraps),
        cmocka_unit_test(test_device_is_replaced),
        cmocka_unit_test(test_capacity_comes_later),
        cmocka_unit_test(test_garbled),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_idle_devices_hide_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
