#include "collect/blkio.h"
#include "model/histogram.h"
#include "model/window.h"
#include "probe/map.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 256

/* 7 KiB, so only for a device that the probe saw. */
struct traced_device {
    uint32_t device;
    struct latency_window windows[BLKIO_OP_COUNT];
};

struct blkio {
    struct probe *probe;
    struct traced_device *devices[DEVICES_MAX];
    size_t count;
    char reason[96];
};

struct reading_rows {
    struct block_device *rows;
    size_t count;
};

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    const struct reading_rows *r = ctx;
    struct blkio_stats stats, *total = NULL;
    struct blkio_key k;

    memcpy(&k, key, sizeof(k));
    for (size_t i = 0; i < r->count && !total; i++)
        if (r->rows[i].device == k.device && k.op < BLKIO_OP_COUNT)
            total = &r->rows[i].ops[k.op];
    if (!total)
        return;
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        memcpy(&stats, (const char *)values + cpu * stride, sizeof(stats));
        latency_add(&total->latency, &stats.latency);
        total->bytes += stats.bytes;
        total->errors += stats.errors;
    }
}

static bool has_events(const struct block_device *row)
{
    for (int op = 0; op < BLKIO_OP_COUNT; op++)
        if (row->ops[op].latency.count > 0)
            return true;
    return false;
}

static struct traced_device *find_device(struct blkio *b, const struct block_device *row)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->devices[i]->device == row->device)
            return b->devices[i];
    if (b->count == DEVICES_MAX || !has_events(row))
        return NULL;
    b->devices[b->count] = calloc(1, sizeof(*b->devices[0]));
    if (!b->devices[b->count])
        return NULL;
    b->devices[b->count]->device = row->device;
    return b->devices[b->count++];
}

/* Device numbers are given out again: what is gone must not pass its last minute on. */
static void forget_unlisted(struct blkio *b, const struct block_device *rows, size_t count)
{
    for (size_t i = b->count; i-- > 0;) {
        size_t row = 0;

        while (row < count && rows[row].device != b->devices[i]->device)
            row++;
        if (row < count)
            continue;
        free(b->devices[i]);
        b->devices[i] = b->devices[--b->count];
    }
}

static const char *read_totals(struct blkio *b, struct block_device *rows, size_t count)
{
    struct reading_rows r = {.rows = rows, .count = count};
    const char *why;
    int err;

    if (!b->probe)
        return "no BPF";
    if (!probe_concern_active(b->probe, CONCERN_BLKIO, &why))
        return why;
    for (size_t i = 0; i < count; i++)
        memset(rows[i].ops, 0, sizeof(rows[i].ops));
    err = probe_map_for_each(b->probe, "blkio_device", add_row, &r);
    if (err >= 0)
        return NULL;
    snprintf(b->reason, sizeof(b->reason), "map blkio_device: %s", strerror(-err));
    return b->reason;
}

void blkio_sample(struct blkio *b, uint64_t now_ns, struct block_device *rows, size_t count,
                  struct disk_snapshot *disk)
{
    forget_unlisted(b, rows, count);
    disk->traced_missing = read_totals(b, rows, count);
    for (size_t i = 0; i < count; i++) {
        struct traced_device *device;

        rows[i].traced = !disk->traced_missing;
        if (!rows[i].traced)
            continue;
        memset(rows[i].recent, 0, sizeof(rows[i].recent));
        device = find_device(b, &rows[i]);
        for (int op = 0; device && op < BLKIO_OP_COUNT; op++)
            latency_window_update(&device->windows[op], now_ns, &rows[i].ops[op].latency,
                                  &rows[i].recent[op]);
    }
}

int blkio_create(struct blkio **ret, struct probe *probe)
{
    struct blkio *b = calloc(1, sizeof(*b));

    if (!b)
        return -ENOMEM;
    b->probe = probe;
    *ret = b;
    return 0;
}

void blkio_destroy(struct blkio *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++)
        free(b->devices[i]);
    free(b);
}
