/* Block devices. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"

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

void metrics_block_devices(struct metrics_page *page)
{
    const struct disk_snapshot *disk = &page->facts->snapshot->disk;
    size_t share = metric_lists_share(&page->metrics->lists, page->e, LIST_BLOCK_DEVICES);
    struct metric_rows rows = {disk->devices, sizeof(struct block_device), 0, 0};

    if (disk->devices_missing)
        return;
    if (!page->e->sink && series_of(disk) > share)
        rows.step = COARSE_STEP;
    rows.count =
        metric_lists_rows(&page->metrics->lists, page->e, LIST_BLOCK_DEVICES, disk->device_count,
                          metric_table_series(&block_device_table, 0) +
                              metric_table_series(&block_traced_table, rows.step),
                          disk->devices_omitted);
    metric_table(page->e, &block_device_table, &rows);
    metric_table(page->e, &block_traced_table, &rows);
}
