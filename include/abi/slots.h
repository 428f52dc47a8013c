/* Log2 histogram of nanoseconds, shared by bpf/ (counting) and user/ (quantiles, Prometheus `le`).
 *
 * Slot 0 holds values below 1,024 ns; slot i in 1..25 holds [2^(i+9), 2^(i+10)) ns; slot 26 holds
 * everything from 2^35 ns (34.4 s) up. Counters are monotonic and never reset.
 *
 * Calls are judged and compared by their quantiles, so they are counted more finely: each slot but
 * the first and the last in four parts of the same width.
 */
#ifndef MOONWATCH_SLOTS_H
#define MOONWATCH_SLOTS_H

#include <linux/types.h>

#define SLOT_COUNT 27
#define SLOT_SHIFT 10

struct latency {
    __u64 count;
    __u64 sum_ns;
    __u64 slots[SLOT_COUNT];
};

#define FINE_PARTS_LOG2 2
#define FINE_PARTS (1 << FINE_PARTS_LOG2)
#define FINE_SLOT_COUNT ((SLOT_COUNT - 2) * FINE_PARTS + 2)

struct fine_latency {
    __u64 count;
    __u64 sum_ns;
    __u64 slots[FINE_SLOT_COUNT];
};

/* 1 when v > limit, by the sign of their difference; both below 2^63. The empty asm keeps the
 * compiler from seeing a comparison in it and making a branch. */
static inline __attribute__((always_inline)) __u64 slot_above(__u64 v, __u64 limit)
{
    __u64 difference = limit - v;

    __asm__("" : "+r"(difference));
    return difference >> 63;
}

/* floor(log2(ns / 512 | 1)) by binary search for the highest set bit, without branches: BPF has no
 * clz, and delays make every branch of a search a coin toss. */
static inline __attribute__((always_inline)) __u32 slot_of_ns(__u64 ns)
{
    __u64 v = ns >> (SLOT_SHIFT - 1) | 1;
    __u64 slot, step;

    if (v >> SLOT_COUNT)
        return SLOT_COUNT - 1;
    slot = slot_above(v, 0xffff) << 4;
    v >>= slot;
    step = slot_above(v, 0xff) << 3;
    v >>= step;
    slot += step;
    step = slot_above(v, 0xf) << 2;
    v >>= step;
    slot += step;
    step = slot_above(v, 3) << 1;
    v >>= step;
    slot += step;
    return (__u32)(slot + (v >> 1));
}

/* Exclusive upper bound of a slot in nanoseconds; the last slot has none (0). */
static inline __u64 slot_upper_ns(__u32 slot)
{
    return slot + 1 < SLOT_COUNT ? 1ULL << (slot + SLOT_SHIFT) : 0;
}

static inline __attribute__((always_inline)) __u32 fine_slot_of_ns(__u64 ns)
{
    __u32 slot = slot_of_ns(ns);

    if (slot == 0)
        return 0;
    if (slot >= SLOT_COUNT - 1)
        return FINE_SLOT_COUNT - 1;
    /* The bits below the highest one, which slot_of_ns() has found. */
    return ((slot - 1) << FINE_PARTS_LOG2) + 1 +
           (ns >> (slot + SLOT_SHIFT - 1 - FINE_PARTS_LOG2) & (FINE_PARTS - 1));
}

/* As slot_upper_ns(). */
static inline __u64 fine_slot_upper_ns(__u32 slot)
{
    __u32 whole = (slot + FINE_PARTS - 1) >> FINE_PARTS_LOG2;

    if (slot == 0)
        return slot_upper_ns(0);
    if (slot >= FINE_SLOT_COUNT - 1)
        return 0;
    return slot_upper_ns(whole - 1) +
           (slot_upper_ns(whole - 1) >> FINE_PARTS_LOG2) * (((slot - 1) & (FINE_PARTS - 1)) + 1);
}

#endif
