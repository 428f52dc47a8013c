#include "model/histogram.h"

#define LATENCY_WORDS (sizeof(struct latency) / sizeof(__u64))

_Static_assert(sizeof(struct latency) == (2 + SLOT_COUNT) * sizeof(__u64), "counters only");

void latency_add(struct latency *ret, const struct latency *a)
{
    ret->count += a->count;
    ret->sum_ns += a->sum_ns;
    for (int i = 0; i < SLOT_COUNT; i++)
        ret->slots[i] += a->slots[i];
}

void latency_delta(struct latency *ret, const struct latency *now, const struct latency *before)
{
    const __u64 *n = (const __u64 *)now, *b = (const __u64 *)before;
    __u64 *r = (__u64 *)ret;

    for (size_t i = 0; i < LATENCY_WORDS; i++)
        r[i] = n[i] >= b[i] ? n[i] - b[i] : n[i];
}

/* `count` may be an event ahead of the slots in a row that was copied while it was written. */
static __u64 events_in_slots(const struct latency *l)
{
    __u64 events = 0;

    for (int i = 0; i < SLOT_COUNT; i++)
        events += l->slots[i];
    return events;
}

struct reading latency_quantile_ns(const struct latency *l, double q)
{
    __u64 events = events_in_slots(l);
    double rank = q * (double)events, below = 0;
    __u32 slot = 0;

    if (events == 0)
        return reading_missing("nothing was counted");
    while (slot < SLOT_COUNT - 1 && (l->slots[slot] == 0 || below + (double)l->slots[slot] < rank))
        below += (double)l->slots[slot++];
    /* Of what is above the last bound only the bound is known. */
    if (slot == SLOT_COUNT - 1)
        return reading_of((double)slot_upper_ns(SLOT_COUNT - 2));
    if (slot == 0)
        return reading_of((double)slot_upper_ns(0) * (rank / (double)l->slots[0]));
    /* A slot is as wide as its lower bound is high. */
    return reading_of((double)slot_upper_ns(slot - 1) *
                      (1 + (rank - below) / (double)l->slots[slot]));
}

struct reading latency_max_ns(const struct latency *l)
{
    for (__u32 slot = SLOT_COUNT; slot-- > 0;) {
        if (l->slots[slot] == 0)
            continue;
        /* The last slot has no bound, yet no event is longer than all of them together. */
        return reading_of(slot == SLOT_COUNT - 1 ? (double)l->sum_ns : (double)slot_upper_ns(slot));
    }
    return reading_missing("nothing was counted");
}
