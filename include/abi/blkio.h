/* Maps of bpf/blkio.
 *   blkio_device   per-CPU hash, struct blkio_key -> struct blkio_stats. Monotonic. What found no
 *                  room is in the row of device 0.
 *   blkio_inflight hash, struct request * -> ns: issued and not complete, where the kernel itself
 *                  keeps no time
 */
#ifndef MOONWATCH_BLKIO_H
#define MOONWATCH_BLKIO_H

#include "abi/slots.h"

enum blkio_op {
    BLKIO_READ,
    BLKIO_WRITE,
    BLKIO_FLUSH,
    BLKIO_DISCARD,
    BLKIO_OTHER,
    BLKIO_OP_COUNT,
};

struct blkio_key {
    __u32 device; /* major << 20 | minor, as the kernel's dev_t */
    __u32 op;     /* enum blkio_op */
};

struct blkio_stats {
    struct latency latency; /* issue to completion, one per request */
    __u64 bytes;            /* moved, cleared or discarded without an error */
    __u64 errors;           /* requests that ended in one; they count in `latency` too */
};

#endif
