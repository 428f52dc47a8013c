/* Counting into a histogram in a per-CPU map. */
#ifndef MOONWATCH_LIB_LATENCY_BPF_H
#define MOONWATCH_LIB_LATENCY_BPF_H

#include "abi/slots.h"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* For sched_switch only: it fires with interrupts off and cannot nest on its CPU. */
static __always_inline void count_latency(struct latency *latency, u64 ns)
{
    u32 slot = slot_of_ns(ns);

    latency->count++;
    latency->sum_ns += ns;
    if (slot < SLOT_COUNT)
        latency->slots[slot]++;
}

/* Where another event can come in between on the same CPU. */
static __always_inline void count_latency_atomic(struct latency *latency, u64 ns)
{
    u32 slot = slot_of_ns(ns);

    __sync_fetch_and_add(&latency->count, 1);
    __sync_fetch_and_add(&latency->sum_ns, ns);
    if (slot < SLOT_COUNT)
        __sync_fetch_and_add(&latency->slots[slot], 1);
}

static __always_inline void count_fine_latency_atomic(struct fine_latency *latency, u64 ns)
{
    u32 slot = fine_slot_of_ns(ns);

    /* Else clang, which knows the bound, spares the check that the verifier needs. */
    barrier_var(slot);
    __sync_fetch_and_add(&latency->count, 1);
    __sync_fetch_and_add(&latency->sum_ns, ns);
    if (slot < FINE_SLOT_COUNT)
        __sync_fetch_and_add(&latency->slots[slot], 1);
}

#endif
