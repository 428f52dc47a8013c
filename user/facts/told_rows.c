#include "facts/told_rows.h"
#include "base/array.h"
#include <stdlib.h>
#include <string.h>

/* Totals only grow, so two things cannot take a row from each other again and again. */
#define TAKE_OVER_FACTOR 2
#define GUEST_SHARE 4

static uint64_t *departed(const struct told_rows *all)
{
    return all->memory;
}

static uint64_t *other(const struct told_rows *all)
{
    return all->memory + all->counter_count;
}

const void *told_rows_other(const struct told_rows *all)
{
    return other(all);
}

/* What the row counted while it was one. */
static uint64_t counted(const struct told_row *row, size_t i)
{
    return row->now[i] > row->base[i] ? row->now[i] - row->base[i] : 0;
}

static void depart(struct told_rows *all, struct told_row *row)
{
    for (size_t i = 0; i < all->counter_count; i++)
        departed(all)[i] += counted(row, i);
}

static void begin(const struct told_rows *all, struct told_row *row, const struct told_source *s,
                  bool from_zero)
{
    size_t bytes = all->counter_count * sizeof(uint64_t);

    row->key = s->key;
    memcpy(row->now, s->counters, bytes);
    /* Before the first page nothing was told, so `other` need not keep anything. */
    if (from_zero || !all->told)
        memset(row->base, 0, bytes);
    else
        memcpy(row->base, s->counters, bytes);
}

static void take(struct told_rows *all, struct told_row *row, const struct told_source *s)
{
    const uint64_t *next = s->counters;
    bool anew = false;

    for (size_t i = 0; i < all->counter_count; i++)
        anew |= next[i] < row->now[i];
    if (anew) {
        depart(all, row);
        begin(all, row, s, true);
    }
    memcpy(row->now, next, all->counter_count * sizeof(uint64_t));
    row->weight = s->weight;
    row->guest = s->guest;
    row->seen = true;
}

static struct told_row *find(const struct told_rows *all, uint64_t key)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->rows[i].key == key)
            return &all->rows[i];
    return NULL;
}

/* The row goes to the end of the list, where its memory is used again. */
static void drop(struct told_rows *all, size_t i)
{
    struct told_row gone = all->rows[i];

    depart(all, &gone);
    memmove(&all->rows[i], &all->rows[i + 1], (all->count - i - 1) * sizeof(gone));
    all->rows[--all->count] = gone;
}

static size_t lightest(const struct told_rows *all, bool guests_only)
{
    size_t ret = all->count;

    for (size_t i = 0; i < all->count; i++)
        if ((all->rows[i].guest || !guests_only) &&
            (ret == all->count || all->rows[i].weight < all->rows[ret].weight))
            ret = i;
    return ret;
}

static size_t guest_count(const struct told_rows *all)
{
    size_t ret = 0;

    for (size_t i = 0; i < all->count; i++)
        ret += all->rows[i].guest;
    return ret;
}

static void shrink(struct told_rows *all, size_t max)
{
    while (all->count > max)
        drop(all, lightest(all, false));
}

static bool reserve(struct told_rows *all, size_t max)
{
    size_t had = all->capacity;

    if (!all->memory)
        all->memory = calloc(3 * all->counter_count, sizeof(uint64_t));
    if (!all->memory || !ARRAY_GROW(all->rows, all->capacity, max))
        return false;
    memset(all->rows + had, 0, (all->capacity - had) * sizeof(*all->rows));
    return true;
}

static bool append(struct told_rows *all, const struct told_source *s)
{
    struct told_row *row = &all->rows[all->count];

    if (!row->now) {
        row->now = calloc(2 * all->counter_count, sizeof(uint64_t));
        if (!row->now)
            return false;
        row->base = row->now + all->counter_count;
    }
    begin(all, row, s, false);
    take(all, row, s);
    all->count++;
    return true;
}

static bool admit(struct told_rows *all, const struct told_source *s, size_t max)
{
    bool crowded = s->guest && guest_count(all) >= (max + GUEST_SHARE - 1) / GUEST_SHARE;
    size_t at;

    if (find(all, s->key))
        return true;
    if (all->count < max && !crowded)
        return append(all, s);
    at = lightest(all, crowded);
    if (at == all->count || (s->weight / TAKE_OVER_FACTOR <= all->rows[at].weight &&
                             (s->guest || !all->rows[at].guest)))
        return true;
    drop(all, at);
    return append(all, s);
}

/* The larger of what was told before and what it comes to now: the total may have been read an
 * event earlier than the rows. */
static void count_other(struct told_rows *all, const uint64_t *total)
{
    for (size_t i = 0; i < all->counter_count; i++) {
        uint64_t told = departed(all)[i];

        for (size_t r = 0; r < all->count; r++)
            told += counted(&all->rows[r], i);
        if (total[i] > told && total[i] - told > other(all)[i])
            other(all)[i] = total[i] - told;
    }
}

static int by_weight(const void *a, const void *b)
{
    const struct told_row *x = a, *y = b;

    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

static int heaviest_first(const void *a, const void *b)
{
    const struct told_source *x = a, *y = b;

    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

bool told_rows_update(struct told_rows *all, struct told_source *sources, size_t count, size_t max,
                      const void *total)
{
    if (!reserve(all, max > 0 ? max : 1))
        return false;
    for (size_t i = 0; i < all->count; i++)
        all->rows[i].seen = false;
    for (size_t i = 0; i < count; i++) {
        struct told_row *row = find(all, sources[i].key);

        if (row)
            take(all, row, &sources[i]);
    }
    for (size_t i = all->count; i-- > 0;)
        if (!all->rows[i].seen)
            drop(all, i);
    shrink(all, max);
    /* Of those that come together the lightest do not come first, to be twice as light. */
    if (count > 1)
        qsort(sources, count, sizeof(*sources), heaviest_first);
    for (size_t i = 0; max > 0 && i < count; i++)
        if (!admit(all, &sources[i], max))
            return false;
    if (all->count > 1)
        qsort(all->rows, all->count, sizeof(*all->rows), by_weight);
    count_other(all, total);
    all->told = true;
    return true;
}

void told_rows_free(struct told_rows *all)
{
    for (size_t i = 0; i < all->capacity; i++)
        free(all->rows[i].now);
    free(all->rows);
    free(all->memory);
    all->rows = NULL;
    all->memory = NULL;
    all->count = all->capacity = 0;
}
