/* Filesystems and block devices. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"

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

void metrics_filesystems(struct exposition *e, struct metrics *m, const struct facts *s)
{
    const struct disk_snapshot *disk = &s->snapshot->disk;
    struct metric_rows rows = {disk->filesystems, sizeof(struct filesystem), 0, label_filesystem,
                               0};

    if (disk->missing)
        return;
    rows.count =
        metric_lists_rows(&m->lists, e, LIST_FILESYSTEMS, disk->filesystem_count,
                          metric_table_series(&filesystem_table, 0), disk->filesystems_omitted);
    metric_table(e, &filesystem_table, &rows);
}

static size_t label_device(const void *row, struct label ret[METRIC_LABELS_MAX],
                           char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"device", ((const struct block_device *)row)->name};
    return 1;
}

/* Where there are many devices, every third bound of their histograms must do. */
#define COARSE_STEP 3

/* All bounds of what is told. */
static size_t series_of(const struct disk_snapshot *disk)
{
    size_t whole = metric_table_series(&block_traced_table, 0) / BLKIO_OP_COUNT, ret = 0;

    for (size_t i = 0; i < disk->device_count; i++) {
        const struct block_device *device = &disk->devices[i];

        ret += metric_table_series(&block_device_table, 0);
        for (int op = 0; device->traced && op < BLKIO_OP_COUNT; op++)
            if (op == BLKIO_READ || op == BLKIO_WRITE || device->ops[op].latency.count > 0)
                ret += whole;
    }
    return ret;
}

void metrics_block_devices(struct exposition *e, struct metrics *m, const struct facts *s)
{
    const struct disk_snapshot *disk = &s->snapshot->disk;
    size_t share = metric_lists_share(&m->lists, e, LIST_BLOCK_DEVICES);
    struct metric_rows rows = {disk->devices, sizeof(struct block_device), 0, label_device, 0};

    if (disk->devices_missing)
        return;
    if (!e->sink && series_of(disk) > share)
        rows.step = COARSE_STEP;
    rows.count = metric_lists_rows(&m->lists, e, LIST_BLOCK_DEVICES, disk->device_count,
                                   metric_table_series(&block_device_table, 0) +
                                       metric_table_series(&block_traced_table, rows.step),
                                   disk->devices_omitted);
    metric_table(e, &block_device_table, &rows);
    metric_table(e, &block_traced_table, &rows);
}
