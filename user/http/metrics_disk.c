/* Filesystems and block devices. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"

static size_t label_filesystem(const void *row, struct label ret[METRIC_LABELS_MAX],
                               char scratch[METRIC_SCRATCH_BYTES])
{
    const struct filesystem *fs = row;

    (void)scratch;
    ret[0] = (struct label){"device", fs->device};
    ret[1] = (struct label){"fstype", fs->type};
    ret[2] = (struct label){"mount", fs->mount};
    return 3;
}

void metrics_filesystems(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        READING_GAUGE("moonwatch_filesystem_size_bytes", "Size of the filesystem.",
                      struct filesystem, size_bytes, 1),
        READING_GAUGE("moonwatch_filesystem_free_bytes", "Space not in use.", struct filesystem,
                      free_bytes, 1),
        READING_GAUGE("moonwatch_filesystem_available_bytes",
                      "Space not in use that users other than root may have.", struct filesystem,
                      available_bytes, 1),
        READING_GAUGE("moonwatch_filesystem_usage_ratio",
                      "Share of the space users may have that is in use, as df counts it.",
                      struct filesystem, usage_percent, FROM_PERCENT),
        READING_GAUGE("moonwatch_filesystem_inodes", "Inodes of the filesystem.", struct filesystem,
                      inodes_total, 1),
        READING_GAUGE("moonwatch_filesystem_inodes_free", "Inodes not in use.", struct filesystem,
                      inodes_free, 1),
        READING_GAUGE("moonwatch_filesystem_full_in_seconds",
                      "When the filesystem is full by the trend of the last hour; no sample while "
                      "it does not grow.",
                      struct filesystem, full_in_seconds, 1),
    };
    static const struct metric_family read_only = {"moonwatch_filesystem_read_only", METRIC_GAUGE,
                                                   "1 when nobody can write to it: by choice, or "
                                                   "after an error."};
    const struct disk_snapshot *disk = &s->snapshot->disk;
    struct metric_rows rows = {disk->filesystems, sizeof(struct filesystem), 0, label_filesystem};
    struct label labels[METRIC_LABELS_MAX];

    if (disk->missing)
        return;
    rows.count =
        metric_lists_rows(&m->lists, e, LIST_FILESYSTEMS, disk->filesystem_count,
                          sizeof(columns) / sizeof(columns[0]) + 1, disk->filesystems_omitted);
    METRIC_COLUMNS(e, columns, "device fstype mount ", NEED_NOTHING, &rows);
    METRIC_FAMILY(e, read_only, "device fstype mount ", NEED_NOTHING);
    for (size_t i = 0; i < rows.count; i++)
        exposition_count(e, labels, label_filesystem(&disk->filesystems[i], labels, NULL),
                         disk->filesystems[i].read_only);
}

static size_t label_device(const void *row, struct label ret[METRIC_LABELS_MAX],
                           char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"device", ((const struct block_device *)row)->name};
    return 1;
}

#define BLOCK_COLUMNS 6
/* Where there are many devices, every third bound of their histograms must do. */
#define COARSE_STEP 3

static const char *op_name(int op)
{
    static const char *const names[BLKIO_OP_COUNT] = {
        [BLKIO_READ] = "read",       [BLKIO_WRITE] = "write", [BLKIO_FLUSH] = "flush",
        [BLKIO_DISCARD] = "discard", [BLKIO_OTHER] = "other",
    };

    return names[op];
}

/* Devices that never flush or discard need no thirty lines of zeros for it. */
static bool is_told(const struct block_device *device, int op)
{
    return device->traced &&
           (op == BLKIO_READ || op == BLKIO_WRITE || device->ops[op].latency.count > 0);
}

static size_t traced_series(unsigned step)
{
    /* +Inf, sum, count, bytes, errors */
    return (SLOT_COUNT - 2) / step + 1 + 5;
}

static size_t device_series(const struct block_device *devices, size_t count, unsigned step)
{
    size_t ret = 0;

    for (size_t i = 0; i < count; i++) {
        ret += BLOCK_COLUMNS;
        for (int op = 0; op < BLKIO_OP_COUNT; op++)
            ret += is_told(&devices[i], op) ? traced_series(step) : 0;
    }
    return ret;
}

static void add_traced(struct exposition *e, const struct block_device *devices, size_t count,
                       unsigned step)
{
    static const struct metric_family latency = {
        "moonwatch_block_latency_seconds", METRIC_HISTOGRAM,
        "Block I/O from issue to completion, since the probe was attached."};
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_block_traced_bytes", "Bytes of the traced block I/O.",
                    struct blkio_stats, bytes, 1),
        U64_COUNTER("moonwatch_block_errors", "Block I/O that ended with an error.",
                    struct blkio_stats, errors, 1),
    };

    METRIC_FAMILY(e, latency, "device op ", NEED_BLKIO);
    for (size_t i = 0; i < count; i++) {
        for (int op = 0; op < BLKIO_OP_COUNT; op++) {
            if (is_told(&devices[i], op))
                exposition_histogram(e, LABELS({"device", devices[i].name}, {"op", op_name(op)}),
                                     &devices[i].ops[op].latency, step);
        }
    }
    METRIC_TABLE(columns, "device op ", NEED_BLKIO);
    for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
        exposition_family(e, &columns[c].family);
        for (size_t i = 0; i < count * BLKIO_OP_COUNT; i++) {
            const struct block_device *device = &devices[i / BLKIO_OP_COUNT];
            int op = (int)(i % BLKIO_OP_COUNT);
            const char *stats = (const char *)&device->ops[op];

            if (is_told(device, op))
                exposition_count(e, LABELS({"device", device->name}, {"op", op_name(op)}),
                                 *(const uint64_t *)(stats + columns[c].at));
        }
    }
}

void metrics_block_devices(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[BLOCK_COLUMNS] = {
        DOUBLE_COUNTER("moonwatch_block_reads", "Reads completed since boot.", struct block_device,
                       reads_total, 1),
        DOUBLE_COUNTER("moonwatch_block_writes", "Writes completed since boot.",
                       struct block_device, writes_total, 1),
        DOUBLE_COUNTER("moonwatch_block_read_bytes", "Bytes read since boot.", struct block_device,
                       read_bytes_total, 1),
        DOUBLE_COUNTER("moonwatch_block_written_bytes", "Bytes written since boot.",
                       struct block_device, written_bytes_total, 1),
        DOUBLE_COUNTER("moonwatch_block_busy_seconds", "Time with I/O in flight, since boot.",
                       struct block_device, io_seconds_total, 1),
        READING_GAUGE("moonwatch_block_in_flight", "I/O issued and not completed.",
                      struct block_device, in_flight, 1),
    };
    const struct disk_snapshot *disk = &s->snapshot->disk;
    size_t count, share = metric_lists_share(&m->lists, e, LIST_BLOCK_DEVICES);
    unsigned step = 1;

    if (disk->devices_missing)
        return;
    if (!e->sink && device_series(disk->devices, disk->device_count, step) > share)
        step = COARSE_STEP;
    count = metric_lists_rows(&m->lists, e, LIST_BLOCK_DEVICES, disk->device_count,
                              BLOCK_COLUMNS + BLKIO_OP_COUNT * traced_series(step),
                              disk->devices_omitted);
    METRIC_COLUMNS(e, columns, "device ", NEED_NOTHING,
                   (&(const struct metric_rows){disk->devices, sizeof(struct block_device), count,
                                                label_device}));
    add_traced(e, disk->devices, count, step);
}
