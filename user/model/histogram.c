#include "model/histogram.h"

#define WORDS(type) (sizeof(type) / sizeof(__u64))

_Static_assert(WORDS(struct latency) == 2 + SLOT_COUNT, "counters only");
_Static_assert(WORDS(struct fine_latency) == 2 + FINE_SLOT_COUNT, "counters only");

struct scale {
    __u32 count;
    __u64 (*upper_ns)(__u32 slot);
};

static const struct scale plain = {SLOT_COUNT, slot_upper_ns};
static const struct scale fine = {FINE_SLOT_COUNT, fine_slot_upper_ns};

static void words_add(__u64 *ret, const __u64 *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] += a[i];
}

static void words_delta(__u64 *ret, const __u64 *now, const __u64 *before, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = now[i] >= before[i] ? now[i] - before[i] : now[i];
}

/* The histogram's own count may be an event ahead of the slots in a row that was copied while it
 * was written. */
static __u64 events_in(const __u64 *slots, const struct scale *scale)
{
    __u64 events = 0;

    for (__u32 i = 0; i < scale->count; i++)
        events += slots[i];
    return events;
}

static struct reading quantile_ns(const __u64 *slots, const struct scale *scale, double q)
{
    __u64 events = events_in(slots, scale);
    double rank = q * (double)events, below = 0, lower;
    __u32 slot = 0, last = scale->count - 1;

    if (events == 0)
        return reading_missing("nothing was counted");
    while (slot < last && (slots[slot] == 0 || below + (double)slots[slot] < rank))
        below += (double)slots[slot++];
    lower = slot ? (double)scale->upper_ns(slot - 1) : 0;
    /* Of what is above the last bound only the bound is known. */
    if (slot == last)
        return reading_of(lower);
    return reading_of(lower + ((double)scale->upper_ns(slot) - lower) * (rank - below) /
                                  (double)slots[slot]);
}

static struct reading max_ns(const __u64 *slots, const struct scale *scale, __u64 sum_ns)
{
    for (__u32 slot = scale->count; slot-- > 0;) {
        if (slots[slot] == 0)
            continue;
        /* The last slot has no bound, yet no event is longer than all of them together. */
        return reading_of(slot == scale->count - 1 ? (double)sum_ns
                                                   : (double)scale->upper_ns(slot));
    }
    return reading_missing("nothing was counted");
}

void latency_add(struct latency *ret, const struct latency *a)
{
    words_add((__u64 *)ret, (const __u64 *)a, WORDS(*ret));
}

void latency_delta(struct latency *ret, const struct latency *now, const struct latency *before)
{
    words_delta((__u64 *)ret, (const __u64 *)now, (const __u64 *)before, WORDS(*ret));
}

struct reading latency_quantile_ns(const struct latency *l, double q)
{
    return quantile_ns(l->slots, &plain, q);
}

struct reading latency_max_ns(const struct latency *l)
{
    return max_ns(l->slots, &plain, l->sum_ns);
}

void fine_latency_add(struct fine_latency *ret, const struct fine_latency *a)
{
    words_add((__u64 *)ret, (const __u64 *)a, WORDS(*ret));
}

void fine_latency_delta(struct fine_latency *ret, const struct fine_latency *now,
                        const struct fine_latency *before)
{
    words_delta((__u64 *)ret, (const __u64 *)now, (const __u64 *)before, WORDS(*ret));
}

struct reading fine_latency_quantile_ns(const struct fine_latency *l, double q)
{
    return quantile_ns(l->slots, &fine, q);
}

struct reading fine_latency_max_ns(const struct fine_latency *l)
{
    return max_ns(l->slots, &fine, l->sum_ns);
}
