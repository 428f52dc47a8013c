#include "collect/crash_counts.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>

/* More than can crash at once on a host that still runs. When all places are taken the one with the
 * fewest crashes gives way, so that programs that crash once do not push a loop out. */
#define SERVICES_MAX 256
/* As long as a person who is paged needs to come and read the reason, and the default cooldown of
 * an alert. */
#define SLICE_NS (5 * NS_PER_SECOND)
#define SLICES 60

struct crash_count {
    uint64_t identity;
    uint64_t slice; /* the newest; slice n is in slices[n % SLICES] */
    uint32_t slices[SLICES];
    struct crash last;
};

struct crash_counts {
    size_t count, loop_count;
    struct crash_count services[SERVICES_MAX];
    struct crash_loop loops[SERVICES_MAX];
};

int crash_counts_create(struct crash_counts **ret)
{
    struct crash_counts *counts = calloc(1, sizeof(*counts));

    if (!counts)
        return -ENOMEM;
    *ret = counts;
    return 0;
}

void crash_counts_destroy(struct crash_counts *counts)
{
    free(counts);
}

/* Forgets what is older than the slices. Records of several CPUs may come out of order. */
static void move_to(struct crash_count *c, uint64_t slice)
{
    if (slice >= c->slice + SLICES)
        c->slice = slice - SLICES;
    while (c->slice < slice)
        c->slices[++c->slice % SLICES] = 0;
}

static uint32_t sum(const struct crash_count *c)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < SLICES; i++)
        sum += c->slices[i];
    return sum;
}

static struct crash_count *place(struct crash_counts *counts, uint64_t identity, uint64_t slice)
{
    struct crash_count *least = NULL;
    uint32_t fewest = 0;

    for (size_t i = 0; i < counts->count; i++)
        if (counts->services[i].identity == identity)
            return &counts->services[i];
    if (counts->count < SERVICES_MAX) {
        least = &counts->services[counts->count++];
    } else {
        for (size_t i = 0; i < counts->count; i++) {
            struct crash_count *c = &counts->services[i];
            uint32_t crashes;

            move_to(c, slice);
            crashes = sum(c);
            if (!least || crashes < fewest ||
                (crashes == fewest && c->last.number < least->last.number)) {
                least = c;
                fewest = crashes;
            }
        }
    }
    *least = (struct crash_count){.identity = identity, .slice = slice};
    return least;
}

void crash_counts_add(struct crash_counts *counts, uint64_t identity, struct crash *crash)
{
    uint64_t slice = crash->record.head.time_ns / SLICE_NS;
    struct crash_count *c = place(counts, identity, slice);

    move_to(c, slice);
    if (slice + SLICES > c->slice)
        c->slices[slice % SLICES]++;
    crash->repeats = sum(c);
    c->last = *crash;
}

static int by_latest(const void *a, const void *b)
{
    uint64_t left = ((const struct crash_loop *)a)->last.number;
    uint64_t right = ((const struct crash_loop *)b)->last.number;

    return (left < right) - (left > right);
}

size_t crash_counts_loops(struct crash_counts *counts, uint64_t now_ns,
                          const struct crash_loop **ret)
{
    uint64_t slice = now_ns / SLICE_NS;
    size_t kept = 0;

    counts->loop_count = 0;
    for (size_t i = 0; i < counts->count; i++) {
        struct crash_count *c = &counts->services[i];
        uint32_t crashes;

        move_to(c, slice);
        crashes = sum(c);
        if (crashes == 0)
            continue;
        if (crashes >= CRASH_LOOP_MIN)
            counts->loops[counts->loop_count++] = (struct crash_loop){c->last, crashes};
        if (kept != i)
            counts->services[kept] = *c;
        kept++;
    }
    counts->count = kept;
    qsort(counts->loops, counts->loop_count, sizeof(counts->loops[0]), by_latest);
    *ret = counts->loops;
    return counts->loop_count;
}
