/* Block I/O figures against a load whose operations, bytes and times the test knows itself, and
 * against the kernel's own count in diskstats.
 *
 * The exact figures come from a loop device of the test's own, which nobody else uses; the root
 * disk, which others use meanwhile, is held between two readings of diskstats. */
#include "abi/blkio.h"
#include "base/clock.h"
#include "collect/collector.h"
#include "probe/map.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK_BYTES 16384
#define BLOCK_COUNT 256
#define FILE_BYTES ((off_t)BLOCK_BYTES * BLOCK_COUNT)

struct fixture {
    struct probe *probe;
    char pins[64];
    char path[256];
    int file;    /* on the root disk, FILE_BYTES long */
    int loop;    /* the loop device over it, O_DIRECT; -1: this host gives none */
    bool direct; /* the loop device does direct I/O */
    unsigned loop_device, root_device;
    char *block; /* aligned for direct I/O */
};

static uint32_t device_key(dev_t dev)
{
    return major(dev) << 20 | minor(dev);
}

static uint64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

struct query {
    struct blkio_key key;
    struct blkio_stats total;
};

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct query *q = ctx;

    if (memcmp(key, &q->key, sizeof(q->key)) != 0)
        return;
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        const struct blkio_stats *s = (const void *)((const char *)values + cpu * stride);

        q->total.latency.count += s->latency.count;
        q->total.latency.sum_ns += s->latency.sum_ns;
        for (int i = 0; i < SLOT_COUNT; i++)
            q->total.latency.slots[i] += s->latency.slots[i];
        q->total.bytes += s->bytes;
        q->total.errors += s->errors;
    }
}

static struct blkio_stats stats_of(struct fixture *f, uint32_t device, enum blkio_op op)
{
    struct query q = {.key = {.device = device, .op = op}};

    assert_true(probe_map_for_each(f->probe, "blkio_device", add_row, &q) >= 0);
    return q.total;
}

/* Reads completed, by the kernel's own count. */
static uint64_t diskstats_reads(uint32_t device)
{
    FILE *file = fopen("/proc/diskstats", "re");
    unsigned major_number, minor_number;
    unsigned long long reads, found = 0;
    char line[512];

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "%u %u %*s %llu", &major_number, &minor_number, &reads) == 3 &&
            (major_number << 20 | minor_number) == device)
            found = reads;
    fclose(file);
    return found;
}

/* The whole disk under the file's filesystem; 0 when that is not one plain disk. */
static uint32_t disk_under(int fd)
{
    unsigned major_number, minor_number;
    char path[128], text[32] = "";
    struct stat st;
    FILE *file;

    assert_int_equal(fstat(fd, &st), 0);
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(st.st_dev),
             minor(st.st_dev));
    /* Above a whole disk there may be a device too: an NVMe controller. */
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%sdev", major(st.st_dev), minor(st.st_dev),
             access(path, F_OK) == 0 ? "../" : "");
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
        return 0;
    return device_key(makedev(major_number, minor_number));
}

static int open_loop(struct fixture *f)
{
    struct loop_config config = {.fd = (unsigned)f->file,
                                 .info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR};
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, fd;
    struct loop_info64 info;
    char path[32];
    struct stat st;

    if (control < 0)
        return -1;
    number = ioctl(control, LOOP_CTL_GET_FREE);
    close(control);
    snprintf(path, sizeof(path), "/dev/loop%d", number);
    fd = number < 0 ? -1 : open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ioctl(fd, LOOP_CONFIGURE, &config) < 0 || fstat(fd, &st) < 0) {
        close(fd);
        return -1;
    }
    f->direct = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && info.lo_flags & LO_FLAGS_DIRECT_IO;
    f->loop_device = device_key(st.st_rdev);
    return fd;
}

static void on_record(void *ctx, const struct record_head *record, size_t size)
{
}

static int setup(void **state)
{
    struct probe_config config = {.ring_bytes = 1 << 16, .cgroups_max = 64};
    struct probe_ops ops = {.on_record = on_record};
    char error[PROBE_ERROR_BYTES] = "";
    struct fixture *f;

    *state = NULL;
    if (geteuid() != 0)
        return 0;
    f = calloc(1, sizeof(*f));
    f->loop = -1;
    for (int c = 0; c < CONCERN_COUNT; c++)
        config.mode[c] = c == CONCERN_BLKIO ? PROBE_AUTO : PROBE_OFF;
    snprintf(f->pins, sizeof(f->pins), "/sys/fs/bpf/moonwatch-test-%d", getpid());
    config.pin_directory = f->pins;
    if (probe_create(&f->probe, &config, clock_system(), &ops, error)) {
        print_error("%s\n", error);
        return -1;
    }
    /* Not /tmp, which may be memory. */
    snprintf(f->path, sizeof(f->path), "/var/tmp/moonwatch-blkio-XXXXXX");
    f->file = mkostemp(f->path, O_DIRECT | O_CLOEXEC);
    if (f->file < 0 || posix_memalign((void **)&f->block, 4096, BLOCK_BYTES))
        return -1;
    memset(f->block, 'm', BLOCK_BYTES);
    for (int i = 0; i < BLOCK_COUNT; i++)
        if (pwrite(f->file, f->block, BLOCK_BYTES, (off_t)i * BLOCK_BYTES) != BLOCK_BYTES)
            return -1;
    fsync(f->file);
    f->root_device = disk_under(f->file);
    f->loop = open_loop(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (!f)
        return 0;
    if (f->loop >= 0)
        close(f->loop);
    close(f->file);
    unlink(f->path);
    probe_destroy(f->probe);
    rmdir(f->pins);
    free(f->block);
    free(f);
    return 0;
}

static struct fixture *need(void **state, bool loop)
{
    struct fixture *f = *state;
    const char *why = "";

    if (!f) {
        print_message("skipped: needs root\n");
        skip();
    }
    if (loop && f->loop < 0) {
        print_message("skipped: no loop device can be had\n");
        skip();
    }
    if (!probe_concern_active(f->probe, CONCERN_BLKIO, &why))
        fail_msg("blkio does not run: %s", why);
    return f;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* One operation at a time, in a scattered order so that nothing is merged; returns the times. */
static void run_load(struct fixture *f, int fd, enum blkio_op op, uint64_t times[BLOCK_COUNT])
{
    for (int i = 0; i < BLOCK_COUNT; i++) {
        off_t at = (off_t)((i * 37) % BLOCK_COUNT) * BLOCK_BYTES;
        uint64_t begin = now_ns();
        ssize_t moved = op == BLKIO_READ ? pread(fd, f->block, BLOCK_BYTES, at)
                                         : pwrite(fd, f->block, BLOCK_BYTES, at);

        times[i] = now_ns() - begin;
        assert_int_equal(moved, BLOCK_BYTES);
    }
}

static uint64_t sum_of(const uint64_t times[BLOCK_COUNT])
{
    uint64_t sum = 0;

    for (int i = 0; i < BLOCK_COUNT; i++)
        sum += times[i];
    return sum;
}

/* Lower and upper bound of the slot that holds the median. */
static void median_slot(const struct latency *after, const struct latency *before,
                        uint64_t *ret_low, uint64_t *ret_high)
{
    uint64_t count = after->count - before->count, seen = 0;
    uint32_t slot = 0;

    while (slot < SLOT_COUNT - 1) {
        seen += after->slots[slot] - before->slots[slot];
        if (2 * seen >= count)
            break;
        slot++;
    }
    *ret_low = slot ? slot_upper_ns(slot - 1) : 0;
    *ret_high = slot_upper_ns(slot);
}

/* What the probe says lies inside what the caller's clock says, and is a good part of it. */
static void check_times(const struct blkio_stats *after, const struct blkio_stats *before,
                        uint64_t times[BLOCK_COUNT])
{
    uint64_t caller = sum_of(times), ours = after->latency.sum_ns - before->latency.sum_ns;
    uint64_t low, high;

    qsort(times, BLOCK_COUNT, sizeof(times[0]), compare);
    median_slot(&after->latency, &before->latency, &low, &high);
    print_message(
        "median: caller %.1f us, probe in [%.1f, %.1f) us; mean: caller %.1f, probe %.1f\n",
        (double)times[BLOCK_COUNT / 2] / 1e3, (double)low / 1e3, (double)high / 1e3,
        (double)caller / BLOCK_COUNT / 1e3, (double)ours / BLOCK_COUNT / 1e3);
    assert_true(ours <= caller);
    /* Of the medians, for the caller's sum holds each time slice that another process took. */
    assert_true(low <= times[BLOCK_COUNT / 2]);
    assert_true(high >= times[BLOCK_COUNT / 2] / 4);
}

/* Where udev runs it has a look into each new device: then once more. */
#define TRIES 5

static void counts_exactly(struct fixture *f, enum blkio_op op)
{
    struct blkio_stats before, after;
    uint64_t times[BLOCK_COUNT], reads, expected = op == BLKIO_READ ? BLOCK_COUNT : 0;

    for (int i = 0; i < TRIES; i++) {
        reads = diskstats_reads(f->loop_device);
        before = stats_of(f, f->loop_device, op);
        run_load(f, f->loop, op, times);
        after = stats_of(f, f->loop_device, op);
        if (diskstats_reads(f->loop_device) - reads == expected)
            break;
    }
    assert_int_equal(after.latency.count - before.latency.count, BLOCK_COUNT);
    assert_int_equal(after.bytes - before.bytes, FILE_BYTES);
    assert_int_equal(after.errors, before.errors);
    check_times(&after, &before, times);
}

static void test_writes_of_a_device_of_our_own(void **state)
{
    counts_exactly(need(state, true), BLKIO_WRITE);
}

static void test_reads_of_a_device_of_our_own(void **state)
{
    counts_exactly(need(state, true), BLKIO_READ);
}

static void test_flush(void **state)
{
    struct fixture *f = need(state, true);
    struct blkio_stats before = stats_of(f, f->loop_device, BLKIO_FLUSH), after;
    struct blkio_stats writes = stats_of(f, f->loop_device, BLKIO_WRITE);

    assert_int_equal(fsync(f->loop), 0);
    after = stats_of(f, f->loop_device, BLKIO_FLUSH);
    assert_int_equal(after.latency.count - before.latency.count, 1);
    assert_int_equal(after.bytes, before.bytes);
    /* The empty write that asks for the flush is completed without having been issued. */
    after = stats_of(f, f->loop_device, BLKIO_WRITE);
    assert_int_equal(after.latency.count, writes.latency.count);
}

/* The loop driver completes the part of a read that its file has, issues the rest again, and fails
 * it: one operation, one error, the bytes of the good part. */
static void test_partial_completion_and_error(void **state)
{
    struct fixture *f = need(state, true);
    struct blkio_stats before, after;

    if (!f->direct) {
        print_message("skipped: the loop device does no direct I/O here\n");
        skip();
    }
    before = stats_of(f, f->loop_device, BLKIO_READ);
    assert_int_equal(ftruncate(f->file, FILE_BYTES - BLOCK_BYTES + 4096), 0);
    assert_int_equal(pread(f->loop, f->block, BLOCK_BYTES, FILE_BYTES - BLOCK_BYTES), -1);
    assert_int_equal(errno, EIO);
    after = stats_of(f, f->loop_device, BLKIO_READ);
    assert_int_equal(after.latency.count - before.latency.count, 1);
    assert_int_equal(after.errors - before.errors, 1);
    assert_int_equal(after.bytes - before.bytes, 4096);
    /* No hole for the tests to come: reading one is no I/O. */
    assert_int_equal(pwrite(f->file, f->block, BLOCK_BYTES, FILE_BYTES - BLOCK_BYTES), BLOCK_BYTES);
}

/* A read that diskstats has counted may not be in our row yet and the other way round. */
#define IN_BETWEEN 2

static bool root_disk_agrees(struct fixture *f)
{
    uint64_t outer_before, inner_before, inner_after, outer_after, counted;
    struct blkio_stats before, after;
    uint64_t times[BLOCK_COUNT];

    outer_before = diskstats_reads(f->root_device);
    before = stats_of(f, f->root_device, BLKIO_READ);
    inner_before = diskstats_reads(f->root_device);
    if (outer_before == 0) {
        print_message("skipped: /var/tmp is not on a plain disk\n");
        skip();
    }
    run_load(f, f->file, BLKIO_READ, times);
    inner_after = diskstats_reads(f->root_device);
    after = stats_of(f, f->root_device, BLKIO_READ);
    outer_after = diskstats_reads(f->root_device);
    counted = after.latency.count - before.latency.count;
    print_message("reads: load %d, probe %lu, diskstats between %lu and %lu\n", BLOCK_COUNT,
                  counted, inner_after - inner_before, outer_after - outer_before);
    assert_true(counted <= outer_after - outer_before + IN_BETWEEN);
    if (counted < BLOCK_COUNT || counted + IN_BETWEEN < inner_after - inner_before)
        return false;
    assert_true(after.bytes - before.bytes >= (uint64_t)FILE_BYTES);
    if (counted == BLOCK_COUNT)
        check_times(&after, &before, times);
    return true;
}

/* The kernel does not run a program on a CPU on which it interrupted that program: with other I/O
 * around, a completion can be missed. Then once more. */
static void test_root_disk_agrees_with_diskstats(void **state)
{
    struct fixture *f = need(state, false);
    bool agrees = false;

    for (int i = 0; i < TRIES && !agrees; i++)
        agrees = root_disk_agrees(f);
    assert_true(agrees);
}

static void count_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    ++*(size_t *)ctx;
}

/* Nothing stays behind in the table of requests in flight, and nothing was lost. */
static void test_nothing_is_left_in_flight(void **state)
{
    struct fixture *f = need(state, false);
    uint64_t deadline = now_ns() + 5 * NS_PER_SECOND;
    struct probe_view view;
    size_t left;

    do {
        left = 0;
        assert_true(probe_map_for_each(f->probe, "blkio_inflight", count_row, &left) >= 0);
    } while (left > 0 && now_ns() < deadline);
    assert_int_equal(left, 0);
    probe_view(f->probe, &view);
    assert_int_equal(view.map_drops[MAP_DROP_BLKIO_DEVICE], 0);
    assert_int_equal(view.map_drops[MAP_DROP_BLKIO_INFLIGHT], 0);
}

static const struct block_device *find_device(const struct disk_snapshot *disk, uint32_t device)
{
    for (size_t i = 0; i < disk->device_count; i++)
        if (disk->devices[i].device == device)
            return &disk->devices[i];
    return NULL;
}

/* The same figures in the snapshot's section, whole and for the last minute. */
static void test_disk_section(void **state)
{
    struct fixture *f = need(state, true);
    const struct collector_env env = {
        .host = &host_default, .clock = clock_system(), .probe = f->probe};
    struct blkio_stats truth = stats_of(f, f->loop_device, BLKIO_READ);
    void *collector = calloc(1, disk_collector.state_size);
    static struct snapshot snapshot;
    const struct block_device *device;
    uint64_t times[BLOCK_COUNT], now = now_ns();

    assert_int_equal(disk_collector.open(collector, &env), 0);
    disk_collector.sample(collector, now, &snapshot);
    assert_null(snapshot.disk.traced_missing);
    device = find_device(&snapshot.disk, f->loop_device);
    assert_non_null(device);
    assert_true(device->traced);
    assert_memory_equal(&device->ops[BLKIO_READ], &truth, sizeof(truth));
    assert_int_equal(device->recent[BLKIO_READ].count, truth.latency.count);

    /* Seven marks later, ten seconds apart, that is no longer the last minute. */
    for (int i = 0; i < 7; i++)
        disk_collector.sample(collector, now += 10 * NS_PER_SECOND, &snapshot);
    run_load(f, f->loop, BLKIO_READ, times);
    disk_collector.sample(collector, now + NS_PER_SECOND, &snapshot);
    device = find_device(&snapshot.disk, f->loop_device);
    assert_int_equal(device->ops[BLKIO_READ].latency.count, truth.latency.count + BLOCK_COUNT);
    assert_int_equal(device->recent[BLKIO_READ].count, BLOCK_COUNT);
    disk_collector.close(collector);
    free(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_of_a_device_of_our_own),
        cmocka_unit_test(test_reads_of_a_device_of_our_own),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_partial_completion_and_error),
        cmocka_unit_test(test_root_disk_agrees_with_diskstats),
        cmocka_unit_test(test_disk_section),
        cmocka_unit_test(test_nothing_is_left_in_flight),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
