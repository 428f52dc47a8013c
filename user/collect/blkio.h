/* What the block probe saw of each device: totals, and the last minute. */
#ifndef MOONWATCH_COLLECT_BLKIO_H
#define MOONWATCH_COLLECT_BLKIO_H

#include "model/disk.h"
#include "probe/probe.h"

struct blkio;

/* `probe` may be NULL. */
int blkio_create(struct blkio **ret, struct probe *probe);
void blkio_destroy(struct blkio *blkio);
/* Fills the traced figures of `count` rows, and `disk->traced_missing`. */
void blkio_sample(struct blkio *blkio, uint64_t now_ns, struct block_device *rows, size_t count,
                  struct disk_snapshot *disk);

#endif
