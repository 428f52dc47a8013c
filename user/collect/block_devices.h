/* Whole block devices from /proc/diskstats: no partitions, no ram disks, nothing without capacity
 * (a loop device without a file behind it, an empty card reader). */
#ifndef MOONWATCH_COLLECT_BLOCK_DEVICES_H
#define MOONWATCH_COLLECT_BLOCK_DEVICES_H

#include "base/host.h"
#include "model/disk.h"

struct block_devices;

int block_devices_create(struct block_devices **ret, const struct host *host);
void block_devices_destroy(struct block_devices *devices);
/* Fills the device part of the section, apart from the traced figures. Returns the rows, which
 * stay writable for those. */
struct block_device *block_devices_sample(struct block_devices *devices, uint64_t now_ns,
                                          struct disk_snapshot *disk);

#endif
