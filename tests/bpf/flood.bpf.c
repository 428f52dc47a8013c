/* Test object: as many records as the test asks for, each time the test makes one chosen system
 * call. Records are 64 bytes, numbered from 0, emitted as the shipped programs do. */
#include "flood.h"
#include "lib/emit.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct flood_control);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} flood_control SEC(".maps");

/* Per-CPU rows which a test fills itself, to be read back. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, 1024);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, u64);
    __type(value, struct flood_row);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} flood_rows SEC(".maps");

static long emit_one(u32 index, void *ctx)
{
    struct flood_control *control = *(struct flood_control **)ctx;
    struct record_flood *record = emit_reserve(RECORD_SLOW_WAIT, sizeof(*record));

    if (record) {
        record->sequence = __sync_fetch_and_add(&control->sequence, 1);
        if (control->default_flags)
            bpf_ringbuf_submit(record, 0);
        else
            emit_submit(record, EMIT_LAZY);
    }
    return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(flood, void *regs, long id)
{
    u32 zero = 0;
    struct flood_control *control = bpf_map_lookup_elem(&flood_control, &zero);

    if (!control || (u64)id != control->syscall ||
        bpf_get_current_pid_tgid() >> 32 != control->tgid)
        return 0;
    bpf_loop(control->records, emit_one, &control, 0);
    return 0;
}

/* Means nothing without `flood`, as far as the loader is told. */
SEC("tp_btf/sys_exit")
int flood_partner(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_process_exec")
int bystander(void *ctx)
{
    u64 none = 0;

    /* So that the map is in the object. */
    bpf_map_lookup_elem(&flood_rows, &none);
    return 0;
}
