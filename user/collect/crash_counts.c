#include "collect/crash_counts.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than can crash at once on a host that still runs. When all places are taken the one with the
 * fewest crashes gives way, so that programs that crash once do not push a loop out. */
#define SERVICES_MAX 256
/* As long as a person who is paged needs to come and read the reason, and the default cooldown of
 * an alert. */
#define SLICE_NS (5 * NS_PER_SECOND)
#define SLICES 60

/* A manager that starts a service again does so sooner. A timer or cron does not, but at the next
 * full minute: a job that fails each time is no loop. */
#define RESTART_NS (31 * NS_PER_SECOND)

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

static bool was_restarted(const struct crash_count *c, const struct crash *crash)
{
    const struct record_exit *record = &crash->record;
    uint64_t ended_ns = c->last.record.head.time_ns;

    return record->head.time_ns < ended_ns + record->age_ns ||
           record->head.time_ns - record->age_ns - ended_ns < RESTART_NS;
}

static bool is_whole(const struct crash *crash)
{
    return crash->cgroup_path[0];
}

static bool may_be_one(const struct crash *a, const struct crash *b)
{
    bool head = exit_heads_service(&a->record);

    return (a->kind == ENDED_KILLED) == (b->kind == ENDED_KILLED) && a->record.cgroup_name[0] &&
           head == exit_heads_service(&b->record) &&
           strncmp(a->record.cgroup_name, b->record.cgroup_name, CGROUP_NAME_BYTES) == 0 &&
           (head || strncmp(a->record.comm, b->record.comm, COMM_BYTES) == 0);
}

/* Of a cgroup that was gone when its end was read the path may not be known: it is the one of its
 * name whose path is known from another time. */
static uint64_t recognize(struct crash_counts *counts, uint64_t identity, struct crash *crash)
{
    for (size_t i = 0; i < counts->count; i++) {
        struct crash_count *c = &counts->services[i];

        if (is_whole(&c->last) == is_whole(crash) || !may_be_one(&c->last, crash))
            continue;
        if (is_whole(crash))
            c->identity = identity;
        else
            memcpy(crash->cgroup_path, c->last.cgroup_path, sizeof(crash->cgroup_path));
        return c->identity;
    }
    return identity;
}

void crash_counts_add(struct crash_counts *counts, uint64_t identity, struct crash *crash)
{
    uint64_t slice = crash->record.head.time_ns / SLICE_NS;
    struct crash_count *c = place(counts, recognize(counts, identity, crash), slice);

    move_to(c, slice);
    if (crash->kind != ENDED_CRASHED && sum(c) > 0 && sum(c) < crash_loop_min(crash->kind) &&
        !was_restarted(c, crash))
        memset(c->slices, 0, sizeof(c->slices));
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
        if (crashes >= crash_loop_min(c->last.kind))
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
