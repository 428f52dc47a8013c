/* Block I/O per device and operation: time from issue to completion, bytes, errors.
 *
 * The kernel's own rq->io_start_time_ns would save the table of requests in flight, but does not
 * say when a request was issued: it is there only while the queue keeps statistics (wbt does), on
 * 6.1 it is the time of the bio's submission, and since 6.9 (da4c8c3d0975) it may be as old as the
 * submitter's plug. One clock of our own means the same on every kernel and scheduler.
 */
#include "abi/blkio.h"
#include "lib/attached_since.bpf.h"
#include "lib/latency.bpf.h"
#include "lib/row_or_other.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* The kernel's and ours agree from read to discard. */
#define REQ_OP_MASK 0xff
#define MINOR_BITS 20
#define OTHER_DEVICE 0

/* Preallocated: the path of an I/O must not allocate. An NVMe queue is 1,023 deep, and eight of
 * them full at one time is more than a host keeps up for long. A request that is never completed
 * leaves its row until its memory, which the queue keeps, is issued again. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, u64);   /* struct request * */
    __type(value, u64); /* issued at */
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} blkio_inflight SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 512); /* about a hundred devices */
    __type(key, struct blkio_key);
    __type(value, struct blkio_stats);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} blkio_device SEC(".maps");

static __always_inline u32 op_of(const struct request *rq)
{
    u32 op = rq->cmd_flags & REQ_OP_MASK;

    return op < BLKIO_OTHER ? op : BLKIO_OTHER;
}

static __always_inline struct blkio_stats *row_of(const struct request *rq,
                                                  const struct gendisk *disk)
{
    static const struct blkio_stats empty;
    struct blkio_key key = {
        .device = (u32)disk->major << MINOR_BITS | (u32)disk->first_minor,
        .op = op_of(rq),
    };
    struct blkio_key other = {.device = OTHER_DEVICE, .op = key.op};

    return row_or_other(&blkio_device, &key, &other, &empty, MAP_DROP_BLKIO_DEVICE);
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(blkio_issue, struct request *rq)
{
    u64 key = (u64)rq, now_ns = bpf_ktime_get_ns();

    /* Commands to a controller belong to no disk. */
    if (!rq->q->disk)
        return 0;
    if (bpf_map_update_elem(&blkio_inflight, &key, &now_ns, BPF_ANY))
        count_map_drop(MAP_DROP_BLKIO_INFLIGHT);
    return 0;
}

/* Called for each part of a request, before its length is reduced by that part. A write that waits
 * for a flush around it is completed a second time without having been issued again: it has no row
 * in flight by then. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(blkio_complete, struct request *rq, u8 error, unsigned int part_bytes)
{
    u64 key = (u64)rq, *issued_ns = bpf_map_lookup_elem(&blkio_inflight, &key), ns;
    struct gendisk *disk = rq->q->disk;
    struct blkio_stats *row;

    if (!issued_ns)
        return 0;
    if (is_of_before(*issued_ns, attached_since_ns(ATTACHED_BLKIO))) {
        bpf_map_delete_elem(&blkio_inflight, &key);
        return 0;
    }
    ns = bpf_ktime_get_ns() - *issued_ns;
    row = disk ? row_of(rq, disk) : NULL;
    if (row && !error)
        __sync_fetch_and_add(&row->bytes, part_bytes);
    if (part_bytes < rq->__data_len)
        return 0;
    bpf_map_delete_elem(&blkio_inflight, &key);
    if (!row)
        return 0;
    count_latency_atomic(&row->latency, ns);
    if (error)
        __sync_fetch_and_add(&row->errors, 1);
    return 0;
}
