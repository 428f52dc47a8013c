/* Block I/O under test: a file on the root disk, a loop device over it which nobody else uses, a
 * probe, and a program of the test's own which tells what completions a program is told of.
 */
#ifndef MOONWATCH_TEST_BLKIO_FIXTURE_H
#define MOONWATCH_TEST_BLKIO_FIXTURE_H

#include "abi/blkio.h"
#include "base/clock.h"
#include "probe/map.h"
#include "requests.h"
#include "requests.skel.h"
#include <bpf/bpf.h>
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

#define DEADLINE_NS (60 * NS_PER_SECOND)

struct fixture {
    struct probe *probe;
    struct requests_bpf *requests;
    char pins[64];
    char path[256];
    int file;    /* on the root disk, FILE_BYTES long */
    int loop;    /* the loop device over it, O_DIRECT; -1: this host gives none */
    bool direct; /* the loop device does direct I/O */
    unsigned loop_device, root_device;
    char *block; /* aligned for direct I/O */
};

static inline uint32_t device_key(dev_t dev)
{
    return major(dev) << 20 | minor(dev);
}

static inline uint64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

struct query {
    struct blkio_key key;
    struct blkio_stats total;
};

static inline void add_row(void *ctx, const void *key, const void *values, unsigned cpus,
                           size_t stride)
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

static inline struct blkio_stats stats_of(struct fixture *f, uint32_t device, enum blkio_op op)
{
    struct query q = {.key = {.device = device, .op = op}};

    assert_true(probe_map_for_each(f->probe, "blkio_device", add_row, &q) >= 0);
    return q.total;
}

/* Reads completed, by the kernel's own count. */
static inline uint64_t diskstats_reads(uint32_t device)
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
static inline uint32_t disk_under(int fd)
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

/* Any that is free; another program may take the same one first. */
static inline int open_loop(struct fixture *f)
{
    struct loop_config config = {.fd = (unsigned)f->file,
                                 .info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR};
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, fd = -1;
    struct loop_info64 info;
    char path[32];
    struct stat st;

    if (control < 0)
        return -1;
    for (bool taken = true; taken;) {
        number = ioctl(control, LOOP_CTL_GET_FREE);
        snprintf(path, sizeof(path), "/dev/loop%d", number);
        fd = number < 0 ? -1 : open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
        taken = fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) < 0;
        if (!taken)
            continue;
        taken = errno == EBUSY;
        close(fd);
        fd = -1;
    }
    close(control);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    f->direct = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && info.lo_flags & LO_FLAGS_DIRECT_IO;
    f->loop_device = device_key(st.st_rdev);
    return fd;
}

static inline void on_record(void *ctx, const struct record_head *record, size_t size)
{
}

static inline int watch_requests(struct fixture *f)
{
    f->requests = requests_bpf__open();
    if (!f->requests)
        return -1;
    f->requests->rodata->watched_device = f->loop_device;
    return requests_bpf__load(f->requests) < 0 || requests_bpf__attach(f->requests) < 0 ? -1 : 0;
}

static inline int setup(void **state)
{
    struct probe_config config = {.ring_bytes = 1 << 16, .cgroups_max = 64};
    struct probe_ops ops = {.on_record = on_record};
    char error[PROBE_ERROR_BYTES] = "";
    struct fixture *f;

    *state = NULL;
    if (geteuid() != 0)
        return 0;
    f = calloc(1, sizeof(*f));
    f->file = f->loop = -1;
    *state = f;
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
    return watch_requests(f);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    if (!f)
        return 0;
    if (f->loop >= 0)
        close(f->loop);
    close(f->file);
    unlink(f->path);
    requests_bpf__destroy(f->requests);
    probe_destroy(f->probe);
    rmdir(f->pins);
    free(f->block);
    free(f);
    return 0;
}

static inline struct fixture *need(void **state, bool loop)
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

/* How long the test itself waited for a CPU; 0 when the kernel does not say. */
static inline uint64_t waited_ns(void)
{
    unsigned long long on_cpu, waited = 0;
    FILE *file = fopen("/proc/self/schedstat", "re");

    if (file && fscanf(file, "%llu %llu", &on_cpu, &waited) != 2)
        waited = 0;
    if (file)
        fclose(file);
    return waited;
}

struct load_times {
    uint64_t sum_ns;
    uint64_t whole_ns[BLOCK_COUNT];
    uint64_t net_ns[BLOCK_COUNT]; /* without the waits for a CPU */
};

/* One operation at a time, in a scattered order so that nothing is merged. */
static inline void run_load(struct fixture *f, int fd, enum blkio_op op, struct load_times *ret)
{
    ret->sum_ns = 0;
    for (int i = 0; i < BLOCK_COUNT; i++) {
        off_t at = (off_t)((i * 37) % BLOCK_COUNT) * BLOCK_BYTES;
        uint64_t waited = waited_ns(), begin = now_ns();
        ssize_t moved = op == BLKIO_READ ? pread(fd, f->block, BLOCK_BYTES, at)
                                         : pwrite(fd, f->block, BLOCK_BYTES, at);

        ret->whole_ns[i] = now_ns() - begin;
        waited = waited_ns() - waited;
        ret->net_ns[i] = ret->whole_ns[i] > waited ? ret->whole_ns[i] - waited : 0;
        ret->sum_ns += ret->whole_ns[i];
        assert_int_equal(moved, BLOCK_BYTES);
    }
}

/* What programs were told of. */
static inline struct requests_seen seen_of(struct fixture *f, uint32_t device, enum blkio_op op)
{
    const struct blkio_key key = {.device = device, .op = op};
    struct requests_seen seen = {0};

    if (bpf_map_lookup_elem(bpf_map__fd(f->requests->maps.requests_seen), &key, &seen) < 0)
        assert_int_equal(errno, ENOENT);
    return seen;
}

/* One operation of the loop device between two readings. */
struct window {
    struct blkio_stats before, after;
    struct requests_seen seen; /* meanwhile */
};

static inline void window_begin(struct fixture *f, enum blkio_op op, struct window *w)
{
    w->before = stats_of(f, f->loop_device, op);
    w->seen = seen_of(f, f->loop_device, op);
}

/* What programs were told of, ours has counted; false unless that are `whole` requests in `parts`.
 * Then the test is to be done once more, for the machine had a part in it: it hid a completion, or
 * had a look into the new device. */
static inline bool window_end(struct fixture *f, enum blkio_op op, struct window *w, uint64_t whole,
                              uint64_t parts)
{
    struct requests_seen seen = seen_of(f, f->loop_device, op);

    w->after = stats_of(f, f->loop_device, op);
    w->seen.whole = seen.whole - w->seen.whole;
    w->seen.parts = seen.parts - w->seen.parts;
    return w->seen.whole == whole && w->seen.parts == parts;
}

#endif
