/* Filesystems and block devices of one tick. */
#ifndef MOONWATCH_MODEL_DISK_H
#define MOONWATCH_MODEL_DISK_H

#include "abi/blkio.h"
#include "model/reading.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What ended, or endangers, the writing to a filesystem. */
enum filesystem_fault {
    FILESYSTEM_SOUND,
    FILESYSTEM_TURNED,    /* read-only since lately; nothing says that an error did it */
    FILESYSTEM_ERRORS,    /* were counted, and it is still written to */
    FILESYSTEM_STOPPED,   /* read-only by an error */
    FILESYSTEM_SHUT_DOWN, /* by an error: not even read from any more */
    FILESYSTEM_FAULT_COUNT
};

struct filesystem {
    char mount[256]; /* a longer path: cut, with a hash of the whole */
    char device[128];
    char type[32];
    bool read_only; /* the filesystem itself, whoever made it so */
    enum filesystem_fault fault;
    uint64_t errors; /* counted by the filesystem since the agent saw it first */
    bool on_device;  /* not in memory */
    struct reading size_bytes, free_bytes, available_bytes;
    struct reading usage_percent; /* as df: used / (used + available to users) */
    struct reading inodes_total, inodes_free, inodes_usage_percent;
    struct reading full_in_seconds; /* by the trend of the last hour; missing when not growing */
};

struct block_device {
    char name[64];
    uint32_t device; /* major << 20 | minor */
    bool physical;   /* a driver's own device, not made of others */
    double reads_total, writes_total;
    double read_bytes_total, written_bytes_total;
    double io_seconds_total;     /* time with I/O in flight */
    struct reading busy_percent; /* since the sample before */
    struct reading in_flight;
    bool traced;                            /* the figures below are there */
    struct blkio_stats ops[BLKIO_OP_COUNT]; /* since the probe was attached */
    struct latency recent[BLKIO_OP_COUNT];  /* over the last minute */
};

struct disk_snapshot {
    const char *missing; /* of the filesystems */
    const char *unseen;  /* which of the host's have no figures, and the mend; NULL: none */
    const char *devices_missing;
    const char *traced_missing; /* why `traced` is false everywhere, else NULL */
    size_t filesystem_count;
    const struct filesystem
        *filesystems;           /* the root, what is written to, disks, the fullest first */
    size_t filesystems_omitted; /* beyond what there is room for */
    size_t device_count;
    const struct block_device *devices; /* physical ones first, then the busiest */
    size_t devices_omitted;             /* beyond what there is room for */
};

#endif
