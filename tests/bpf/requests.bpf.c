/* Test object: the completions that programs are told of at all, by device and operation. A kernel
 * may run none while the task that it interrupted is one that it shields (the init of a micro-VM).
 * And which requests were issued to one device. */
#include "requests.h"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define REQ_OP_MASK 0xff
#define MINOR_BITS 20

const volatile __u32 watched_device = 0;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct blkio_key);
    __type(value, struct requests_seen);
} requests_seen SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, u64); /* struct request * */
    __type(value, u8);
} requests_issued SEC(".maps");

static __always_inline u32 device_of(const struct gendisk *disk)
{
    return (u32)disk->major << MINOR_BITS | (u32)disk->first_minor;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(note_issue, struct request *rq)
{
    struct gendisk *disk = rq->q->disk;
    u64 key = (u64)rq;
    u8 one = 1;

    if (disk && device_of(disk) == watched_device)
        bpf_map_update_elem(&requests_issued, &key, &one, BPF_ANY);
    return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(note_complete, struct request *rq, u8 error, unsigned int part_bytes)
{
    struct gendisk *disk = rq->q->disk;
    struct requests_seen fresh = {}, *seen;
    struct blkio_key key = {};

    if (!disk)
        return 0;
    key.device = device_of(disk);
    key.op = rq->cmd_flags & REQ_OP_MASK;
    bpf_map_update_elem(&requests_seen, &key, &fresh, BPF_NOEXIST);
    seen = bpf_map_lookup_elem(&requests_seen, &key);
    if (!seen)
        return 0;
    __sync_fetch_and_add(&seen->parts, 1);
    if (part_bytes >= rq->__data_len)
        __sync_fetch_and_add(&seen->whole, 1);
    return 0;
}
