#include "breaker/call_window.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RING_CALLS_MAX 10000

enum call_mark { MARK_FAILED = 1 << 0, MARK_SLOW = 1 << 1 };

struct call_window {
    enum call_window_kind kind;
    uint64_t length;
    struct calls sum;
    /* Of time. */
    uint64_t bucket_ns;
    uint64_t newest; /* its number since the clock's zero */
    bool started;
    struct calls buckets[CALL_WINDOW_BUCKETS];
    /* Of calls. */
    uint64_t next;
    unsigned char marks[];
};

int call_window_create(struct call_window **ret, enum call_window_kind kind, uint64_t length)
{
    size_t marks = kind == CALL_WINDOW_COUNT ? length : 0;
    struct call_window *w;

    if (length == 0 || marks > RING_CALLS_MAX)
        return -EINVAL;
    w = calloc(1, sizeof(*w) + marks);
    if (!w)
        return -ENOMEM;
    w->kind = kind;
    w->length = length;
    w->bucket_ns = (length + CALL_WINDOW_BUCKETS - 1) / CALL_WINDOW_BUCKETS;
    *ret = w;
    return 0;
}

void call_window_destroy(struct call_window *w)
{
    free(w);
}

void call_window_clear(struct call_window *w)
{
    w->sum = (struct calls){0};
    w->next = 0;
    w->started = false;
    memset(w->buckets, 0, sizeof(w->buckets));
}

static void subtract(struct calls *from, const struct calls *calls)
{
    from->count -= calls->count;
    from->failed -= calls->failed;
    from->slow -= calls->slow;
}

static void add(struct calls *to, const struct calls *calls)
{
    to->count += calls->count;
    to->failed += calls->failed;
    to->slow += calls->slow;
}

static void forget_older(struct call_window *w, uint64_t now_ns)
{
    uint64_t number = now_ns / w->bucket_ns, steps = number - w->newest;

    if (!w->started)
        steps = 0;
    for (uint64_t i = 1; i <= steps && i <= CALL_WINDOW_BUCKETS; i++) {
        struct calls *bucket = &w->buckets[(w->newest + i) % CALL_WINDOW_BUCKETS];

        subtract(&w->sum, bucket);
        *bucket = (struct calls){0};
    }
    w->newest = number;
    w->started = true;
}

/* How many of `marked` among `count` evenly spread ones stand before place `i`. */
static uint64_t marked_before(uint64_t marked, uint64_t count, uint64_t i)
{
    return (uint64_t)((unsigned __int128)marked * i / count);
}

static bool is_marked(uint64_t marked, uint64_t count, uint64_t i)
{
    return marked_before(marked, count, i + 1) != marked_before(marked, count, i);
}

static void push(struct call_window *w, unsigned char mark)
{
    unsigned char *place = &w->marks[w->next++ % w->length];

    if (w->sum.count == w->length)
        subtract(&w->sum,
                 &(struct calls){1, (*place & MARK_FAILED) != 0, (*place & MARK_SLOW) != 0});
    *place = mark;
    add(&w->sum, &(struct calls){1, (mark & MARK_FAILED) != 0, (mark & MARK_SLOW) != 0});
}

void call_window_add(struct call_window *w, uint64_t now_ns, const struct calls *calls)
{
    struct calls taken = *calls;

    taken.failed = taken.failed < taken.count ? taken.failed : taken.count;
    taken.slow = taken.slow < taken.count ? taken.slow : taken.count;
    if (w->kind == CALL_WINDOW_TIME) {
        forget_older(w, now_ns);
        add(&w->buckets[w->newest % CALL_WINDOW_BUCKETS], &taken);
        add(&w->sum, &taken);
        return;
    }
    for (uint64_t i = taken.count > w->length ? taken.count - w->length : 0; i < taken.count; i++) {
        unsigned mark = is_marked(taken.failed, taken.count, i) ? MARK_FAILED : 0;

        mark |= is_marked(taken.slow, taken.count, i) ? MARK_SLOW : 0;
        push(w, (unsigned char)mark);
    }
}

void call_window_sum(struct call_window *w, uint64_t now_ns, struct calls *ret)
{
    if (w->kind == CALL_WINDOW_TIME)
        forget_older(w, now_ns);
    *ret = w->sum;
}
