/* Emitting records with exact accounting, and the wake policy.
 *
 * A wakeup is paid in the traced path (14-29 us), so records do not wake the agent: it drains the
 * buffer on its own timer, and is woken only when an eighth of the buffer is full or when the
 * record must be acted on at once (EMIT_URGENT). An agent that was woken and has not had the CPU
 * yet is not woken again for every further record: that would cost the most when the host is
 * busiest.
 *
 * Counters are added to atomically: a softirq or a preempting task can emit on the CPU on which
 * another emit was interrupted, and the accounting is exact.
 */
#ifndef MOONWATCH_LIB_EMIT_BPF_H
#define MOONWATCH_LIB_EMIT_BPF_H

#include "lib/shared_maps.bpf.h"

enum emit_wake { EMIT_LAZY, EMIT_URGENT };

const volatile __u64 wake_bytes = 1 << 17; /* an eighth of the buffer, set by the loader */

static __always_inline void count_map_drop(u32 site)
{
    u64 *drops = bpf_map_lookup_elem(&map_drops, &site);

    if (drops)
        __sync_fetch_and_add(drops, 1);
}

/* Reserves a record of `size` bytes and fills its head, or counts a drop and returns NULL. */
static __always_inline void *emit_reserve(u32 type, u64 size)
{
    struct emit_stats *stats = bpf_map_lookup_elem(&emit_stats, &type);
    struct record_head *head = bpf_ringbuf_reserve(&events, size, 0);

    if (stats)
        __sync_fetch_and_add(&stats->produced, 1);
    if (!head) {
        if (stats)
            __sync_fetch_and_add(&stats->dropped, 1);
        return NULL;
    }
    head->type = type;
    head->cpu = bpf_get_smp_processor_id();
    head->time_ns = bpf_ktime_get_ns();
    return head;
}

/* Called when an eighth of the buffer is full. True once for each eighth that the agent reads: who
 * is woken reads at least what was there, so it gets past `consumed + wake_bytes` before it sleeps
 * again. `consumed` is taken first, that this holds if it is reading now. */
static __always_inline bool wake_due(void)
{
    u64 consumed = bpf_ringbuf_query(&events, BPF_RB_CONS_POS);
    u64 produced = bpf_ringbuf_query(&events, BPF_RB_PROD_POS);
    u32 zero = 0;
    u64 *after = bpf_map_lookup_elem(&wake_after, &zero);

    if (!after)
        return true;
    if (consumed < *after || produced - consumed < wake_bytes)
        return false;
    *after = consumed + wake_bytes;
    return true;
}

static __always_inline void emit_submit(void *record, enum emit_wake wake)
{
    u64 flags = BPF_RB_NO_WAKEUP;

    if (wake == EMIT_URGENT ||
        (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_bytes && wake_due()))
        flags = BPF_RB_FORCE_WAKEUP;
    bpf_ringbuf_submit(record, flags);
}

#endif
