/* Block I/O figures against a load whose operations, bytes and times the test knows itself, and
 * against the kernel's own count in diskstats.
 *
 * The exact figures come from a loop device of the test's own, which nobody else uses; the root
 * disk, which others use meanwhile, is held between two readings of diskstats. */
#include "attached_word.h"
#include "blkio_fixture.h"
#include "collect/collector.h"

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t median(uint64_t times[BLOCK_COUNT])
{
    qsort(times, BLOCK_COUNT, sizeof(times[0]), compare);
    return times[BLOCK_COUNT / 2];
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
                        struct load_times *caller)
{
    uint64_t ours = after->latency.sum_ns - before->latency.sum_ns;
    uint64_t whole = median(caller->whole_ns), net = median(caller->net_ns);
    uint64_t low, high;

    median_slot(&after->latency, &before->latency, &low, &high);
    print_message("median: caller %.1f us, %.1f without waits for a CPU, probe in [%.1f, %.1f) us; "
                  "mean: caller %.1f, probe %.1f\n",
                  (double)whole / 1e3, (double)net / 1e3, (double)low / 1e3, (double)high / 1e3,
                  (double)caller->sum_ns / BLOCK_COUNT / 1e3, (double)ours / BLOCK_COUNT / 1e3);
    assert_true(ours <= caller->sum_ns);
    assert_true(low <= whole);
    assert_true(high >= net / 4);
}

static void counts_exactly(struct fixture *f, enum blkio_op op)
{
    uint64_t deadline = now_ns() + DEADLINE_NS;
    struct load_times times;
    struct window w;

    do {
        assert_true(now_ns() < deadline);
        window_begin(f, op, &w);
        run_load(f, f->loop, op, &times);
    } while (!window_end(f, op, &w, BLOCK_COUNT, BLOCK_COUNT));
    assert_int_equal(w.after.latency.count - w.before.latency.count, BLOCK_COUNT);
    assert_int_equal(w.after.bytes - w.before.bytes, FILE_BYTES);
    assert_int_equal(w.after.errors, w.before.errors);
    check_times(&w.after, &w.before, &times);
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
    uint64_t deadline = now_ns() + DEADLINE_NS;
    struct window flush, write;
    bool alone;

    do {
        assert_true(now_ns() < deadline);
        window_begin(f, BLKIO_FLUSH, &flush);
        window_begin(f, BLKIO_WRITE, &write);
        assert_int_equal(fsync(f->loop), 0);
        alone = window_end(f, BLKIO_FLUSH, &flush, 1, 1);
        alone = window_end(f, BLKIO_WRITE, &write, 1, 1) && alone;
    } while (!alone);
    assert_int_equal(flush.after.latency.count - flush.before.latency.count, 1);
    assert_int_equal(flush.after.bytes, flush.before.bytes);
    /* The empty write that asks for the flush is completed without having been issued. */
    assert_int_equal(write.after.latency.count, write.before.latency.count);
}

/* The loop driver completes the part of a read that its file has, issues the rest again, and fails
 * it: one operation, one error, the bytes of the good part. */
static void test_partial_completion_and_error(void **state)
{
    struct fixture *f = need(state, true);
    uint64_t deadline = now_ns() + DEADLINE_NS;
    struct window w;

    if (!f->direct) {
        print_message("skipped: the loop device does no direct I/O here\n");
        skip();
    }
    assert_int_equal(ftruncate(f->file, FILE_BYTES - BLOCK_BYTES + 4096), 0);
    do {
        assert_true(now_ns() < deadline);
        window_begin(f, BLKIO_READ, &w);
        assert_int_equal(pread(f->loop, f->block, BLOCK_BYTES, FILE_BYTES - BLOCK_BYTES), -1);
        assert_int_equal(errno, EIO);
    } while (!window_end(f, BLKIO_READ, &w, 1, 2));
    assert_int_equal(w.after.latency.count - w.before.latency.count, 1);
    assert_int_equal(w.after.errors - w.before.errors, 1);
    assert_int_equal(w.after.bytes - w.before.bytes, 4096);
    /* No hole for the tests to come: reading one is no I/O. */
    assert_int_equal(pwrite(f->file, f->block, BLOCK_BYTES, FILE_BYTES - BLOCK_BYTES), BLOCK_BYTES);
}

/* A read that diskstats has counted may not be in our row yet and the other way round. */
#define IN_BETWEEN 2

/* The probe's reading, between two of what programs were told of, between two of diskstats. */
struct disk_mark {
    uint64_t reads_before, seen_before;
    struct blkio_stats stats;
    uint64_t seen_after, reads_after;
};

static struct disk_mark mark_root_disk(struct fixture *f)
{
    struct disk_mark m;

    m.reads_before = diskstats_reads(f->root_device);
    m.seen_before = seen_of(f, f->root_device, BLKIO_READ).whole;
    m.stats = stats_of(f, f->root_device, BLKIO_READ);
    m.seen_after = seen_of(f, f->root_device, BLKIO_READ).whole;
    m.reads_after = diskstats_reads(f->root_device);
    return m;
}

/* Few are hidden from programs; what they are told of is counted. */
static bool root_disk_agrees(struct fixture *f)
{
    struct disk_mark first = mark_root_disk(f), last;
    uint64_t counted, seen, seen_most, reads, reads_most;
    struct load_times times;

    if (first.reads_before == 0) {
        print_message("skipped: /var/tmp is not on a plain disk\n");
        skip();
    }
    run_load(f, f->file, BLKIO_READ, &times);
    last = mark_root_disk(f);
    counted = last.stats.latency.count - first.stats.latency.count;
    seen = last.seen_before - first.seen_after;
    seen_most = last.seen_after - first.seen_before;
    reads = last.reads_before - first.reads_after;
    reads_most = last.reads_after - first.reads_before;
    print_message("reads: load %d, probe %lu, seen %lu to %lu, diskstats %lu to %lu\n", BLOCK_COUNT,
                  counted, seen, seen_most, reads, reads_most);
    assert_true(counted <= reads_most + IN_BETWEEN);
    if (counted < seen || counted > seen_most || counted + IN_BETWEEN < reads * 9 / 10)
        return false;
    assert_true(last.stats.bytes - first.stats.bytes >= (uint64_t)FILE_BYTES * 9 / 10);
    if (counted == BLOCK_COUNT && reads_most == BLOCK_COUNT)
        check_times(&last.stats, &first.stats, &times);
    return true;
}

/* The kernel does not run a program on a CPU on which it interrupted that program: with other I/O
 * around, one of two programs can miss a completion. Then once more. */
static void test_root_disk_agrees_with_diskstats(void **state)
{
    struct fixture *f = need(state, false);
    uint64_t deadline = now_ns() + DEADLINE_NS;

    while (!root_disk_agrees(f))
        assert_true(now_ns() < deadline);
}

/* As seen by programs attached in an hour: all that they are told the end of began before. */
static void test_requests_that_were_lost_sight_of(void **state)
{
    struct fixture *f = need(state, true);
    uint64_t deadline = now_ns() + DEADLINE_NS;
    struct load_times times;
    struct blkio_stats before, after;

    before = stats_of(f, f->loop_device, BLKIO_READ);
    set_attached(f->probe, ATTACHED_BLKIO, now_ns() + 3600 * NS_PER_SECOND);
    run_load(f, f->loop, BLKIO_READ, &times);
    after = stats_of(f, f->loop_device, BLKIO_READ);
    set_attached(f->probe, ATTACHED_BLKIO, now_ns());
    assert_memory_equal(&after, &before, sizeof(after));
    while (after.latency.count == before.latency.count) {
        assert_true(now_ns() < deadline);
        run_load(f, f->loop, BLKIO_READ, &times);
        after = stats_of(f, f->loop_device, BLKIO_READ);
    }
}

struct left {
    struct fixture *fixture;
    size_t count;
};

static void count_ours(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct left *left = ctx;
    int issued = bpf_map__fd(left->fixture->requests->maps.requests_issued);
    uint8_t one;

    left->count += bpf_map_lookup_elem(issued, key, &one) == 0;
}

/* Nothing of our device stays behind in the table of requests in flight, and nothing was lost. The
 * row of a request whose completion was hidden goes when it is used again. */
static void test_nothing_is_left_in_flight(void **state)
{
    struct fixture *f = need(state, true);
    uint64_t deadline = now_ns() + DEADLINE_NS, any;
    struct left left = {.fixture = f};
    struct probe_view view;
    struct load_times times;

    assert_int_equal(
        bpf_map_get_next_key(bpf_map__fd(f->requests->maps.requests_issued), NULL, &any), 0);
    for (;;) {
        left.count = 0;
        assert_true(probe_map_for_each(f->probe, "blkio_inflight", count_ours, &left) >= 0);
        if (left.count == 0)
            break;
        assert_true(now_ns() < deadline);
        run_load(f, f->loop, BLKIO_READ, &times);
    }
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

/* The same figures in the snapshot's section, whole and for the last minute. False: somebody else
 * had a part in them. */
static bool check_section(struct fixture *f, void *collector)
{
    struct blkio_stats truth = stats_of(f, f->loop_device, BLKIO_READ);
    static struct snapshot snapshot;
    const struct block_device *device;
    struct load_times times;
    uint64_t now = now_ns();
    struct window w;

    window_begin(f, BLKIO_READ, &w);
    disk_collector.sample(collector, now, &snapshot);
    if (!window_end(f, BLKIO_READ, &w, 0, 0))
        return false;
    assert_null(snapshot.disk.traced_missing);
    device = find_device(&snapshot.disk, f->loop_device);
    assert_non_null(device);
    assert_true(device->traced);
    assert_memory_equal(&device->ops[BLKIO_READ], &truth, sizeof(truth));
    assert_int_equal(device->recent[BLKIO_READ].count, truth.latency.count);

    /* Seven marks later, ten seconds apart, that is no longer the last minute. */
    window_begin(f, BLKIO_READ, &w);
    for (int i = 0; i < 7; i++)
        disk_collector.sample(collector, now += 10 * NS_PER_SECOND, &snapshot);
    run_load(f, f->loop, BLKIO_READ, &times);
    disk_collector.sample(collector, now + NS_PER_SECOND, &snapshot);
    if (!window_end(f, BLKIO_READ, &w, BLOCK_COUNT, BLOCK_COUNT))
        return false;
    device = find_device(&snapshot.disk, f->loop_device);
    assert_int_equal(device->ops[BLKIO_READ].latency.count, truth.latency.count + BLOCK_COUNT);
    assert_int_equal(device->recent[BLKIO_READ].count, BLOCK_COUNT);
    return true;
}

static void test_disk_section(void **state)
{
    struct fixture *f = need(state, true);
    const struct collector_env env = {
        .host = &host_default, .clock = clock_system(), .probe = f->probe};
    uint64_t deadline = now_ns() + DEADLINE_NS;
    void *collector = NULL;
    bool agrees;

    do {
        assert_true(now_ns() < deadline);
        collector = calloc(1, disk_collector.state_size);
        assert_int_equal(disk_collector.open(collector, &env), 0);
        agrees = check_section(f, collector);
        disk_collector.close(collector);
        free(collector);
    } while (!agrees);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_of_a_device_of_our_own),
        cmocka_unit_test(test_reads_of_a_device_of_our_own),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_partial_completion_and_error),
        cmocka_unit_test(test_root_disk_agrees_with_diskstats),
        cmocka_unit_test(test_requests_that_were_lost_sight_of),
        cmocka_unit_test(test_disk_section),
        cmocka_unit_test(test_nothing_is_left_in_flight),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
