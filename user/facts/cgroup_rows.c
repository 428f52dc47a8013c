#include "facts/cgroup_rows.h"
#include "abi/reclaim.h"
#include <string.h>

#define LATENCY_WORDS (sizeof(struct latency) / sizeof(__u64))
#define TOTALS_WORDS (sizeof(struct cgroup_totals) / sizeof(__u64))

/* Twice as much before a newcomer takes a row: totals only grow, so two cgroups cannot take it from
 * each other again and again. */
#define TAKE_OVER_FACTOR 2

_Static_assert(sizeof(struct latency) == (2 + SLOT_COUNT) * sizeof(__u64), "counters only");

static void add_words(void *ret, const void *a, size_t words)
{
    __u64 *to = ret;
    const __u64 *from = a;

    for (size_t i = 0; i < words; i++)
        to[i] += from[i];
}

/* Each counter less another that cannot be larger, but may have been read an event later. */
static void subtract_words(void *ret, const void *a, size_t words)
{
    __u64 *from = ret;
    const __u64 *less = a;

    for (size_t i = 0; i < words; i++)
        from[i] -= less[i] < from[i] ? less[i] : from[i];
}

static uint64_t weight(const struct cgroup_waits *w)
{
    return w->delay.sum_ns + w->blocked.sum_ns + w->reclaim.sum_ns;
}

static uint64_t row_weight(const struct cgroup_row *row)
{
    return row->now.delay.sum_ns + row->now.blocked.sum_ns + row->now.reclaim.sum_ns;
}

static void take(struct cgroup_row *row, const struct cgroup_waits *w)
{
    row->seen = true;
    row->path = w->path;
    row->now = (struct cgroup_totals){w->delay, w->blocked, w->reclaim};
}

/* Before the first page nothing was told, so `other` need not keep anything. */
static void begin(const struct cgroup_rows *all, struct cgroup_row *row,
                  const struct cgroup_waits *w)
{
    row->cgroup_id = w->cgroup_id;
    take(row, w);
    row->base = all->told ? row->now : (struct cgroup_totals){0};
}

static void depart(struct cgroup_rows *all, const struct cgroup_row *row)
{
    struct cgroup_totals counted = row->now;

    subtract_words(&counted, &row->base, TOTALS_WORDS);
    add_words(&all->departed, &counted, TOTALS_WORDS);
}

static struct cgroup_row *find(struct cgroup_rows *all, const struct cgroup_waits *w)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->rows[i].cgroup_id == w->cgroup_id)
            return &all->rows[i];
    }
    return NULL;
}

/* A cgroup made again under the path of one whose row is still there: one series, one row. */
static bool path_taken(const struct cgroup_rows *all, const char *path)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->rows[i].path, path) == 0)
            return true;
    }
    return false;
}

static struct cgroup_row *lightest(struct cgroup_rows *all)
{
    struct cgroup_row *ret = &all->rows[0];

    for (size_t i = 1; i < all->count; i++) {
        if (row_weight(&all->rows[i]) < row_weight(ret))
            ret = &all->rows[i];
    }
    return ret;
}

static bool has_name(const struct cgroup_waits *w)
{
    return w->cgroup_id != 0 && w->path;
}

static void refresh(struct cgroup_rows *all, const struct scheduler_snapshot *scheduler)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++)
        all->rows[i].seen = false;
    for (size_t i = 0; i < scheduler->cgroup_count; i++) {
        const struct cgroup_waits *w = &scheduler->cgroups[i];
        struct cgroup_row *row = has_name(w) ? find(all, w) : NULL;

        if (row)
            take(row, w);
    }
    for (size_t i = 0; i < all->count; i++) {
        if (!all->rows[i].seen)
            depart(all, &all->rows[i]);
        else if (kept++ != i)
            all->rows[kept - 1] = all->rows[i];
    }
    all->count = kept;
}

static void shrink(struct cgroup_rows *all, size_t max)
{
    while (all->count > max) {
        struct cgroup_row *row = lightest(all);

        depart(all, row);
        *row = all->rows[--all->count];
    }
}

static void admit(struct cgroup_rows *all, const struct cgroup_waits *w, size_t max)
{
    struct cgroup_row *row;

    if (!has_name(w) || find(all, w) || path_taken(all, w->path))
        return;
    if (all->count < max) {
        begin(all, &all->rows[all->count++], w);
        return;
    }
    row = lightest(all);
    if (weight(w) / TAKE_OVER_FACTOR <= row_weight(row))
        return;
    depart(all, row);
    begin(all, row, w);
}

/* The larger of what was told before and what it comes to now. */
static void keep_rising(struct cgroup_totals *ret, const struct cgroup_totals *now)
{
    __u64 *told = (__u64 *)ret;
    const __u64 *next = (const __u64 *)now;

    for (size_t i = 0; i < TOTALS_WORDS; i++) {
        if (next[i] > told[i])
            told[i] = next[i];
    }
}

static void count_other(struct cgroup_rows *all, const struct scheduler_snapshot *scheduler)
{
    struct cgroup_totals rest = {.delay = scheduler->total.delay, .blocked = scheduler->blocked};

    for (int kind = 0; kind < RECLAIM_KIND_COUNT; kind++)
        add_words(&rest.reclaim, &scheduler->reclaim[kind], LATENCY_WORDS);
    subtract_words(&rest, &all->departed, TOTALS_WORDS);
    for (size_t i = 0; i < all->count; i++) {
        struct cgroup_totals counted = all->rows[i].now;

        subtract_words(&counted, &all->rows[i].base, TOTALS_WORDS);
        subtract_words(&rest, &counted, TOTALS_WORDS);
    }
    keep_rising(&all->other, &rest);
}

void cgroup_rows_update(struct cgroup_rows *all, const struct scheduler_snapshot *scheduler,
                        size_t max)
{
    max = max < CGROUP_ROWS_MAX ? max : CGROUP_ROWS_MAX;
    refresh(all, scheduler);
    shrink(all, max);
    for (size_t i = 0; max > 0 && i < scheduler->cgroup_count; i++)
        admit(all, &scheduler->cgroups[i], max);
    count_other(all, scheduler);
    all->told = true;
}
