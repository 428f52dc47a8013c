/* A breaker on a row of plain memory, with a virtual clock and a kernel that does to the row what
 * abi/breaker.h says the programs do. */
#ifndef TEST_BREAKER_FIXTURE_H
#define TEST_BREAKER_FIXTURE_H

#include "base/clock.h"
#include "breaker/breaker.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define ADDRESS "10.0.0.1:443"

struct bench {
    struct config_breaker rules;
    struct breaker_row row;
    struct breaker *breaker;
    uint64_t now_ns;
    double draw;                        /* what the random source says */
    void (*on_random)(struct bench *b); /* plays the kernel between decision and swap */
    size_t moves;
    struct breaker_transition last;
};

static inline double bench_random(void *ctx)
{
    struct bench *b = ctx;

    if (b->on_random)
        b->on_random(b);
    return b->draw;
}

static inline void bench_moved(void *ctx, const struct breaker_transition *t)
{
    struct bench *b = ctx;

    b->moves++;
    b->last = *t;
}

static inline struct config_breaker bench_rules(void)
{
    return (struct config_breaker){
        .mode = BREAKER_MODE_ENFORCE,
        .failure_threshold = 5,
        .recovery_timeout_seconds = 60,
        .success_threshold = 3,
        .timeout_seconds = 30,
        .window_type = BREAKER_WINDOW_CALLS,
        .window = 100,
        .minimum_calls = 20,
        .failure_rate_percent = 50,
        .slow_call_rate_percent = 100,
        .half_open_max_calls = 10,
        .half_open_timeout_seconds = 60,
        .backoff_multiplier = 2,
        .max_recovery_timeout_seconds = 300,
    };
}

/* On whatever the row holds. */
static inline void bench_create(struct bench *b)
{
    const struct breaker_ops ops = {.random = bench_random, .moved = bench_moved, .ctx = b};

    assert_int_equal(breaker_create(&b->breaker, &b->rules, ADDRESS, &ops), 0);
    breaker_place(b->breaker, &b->row);
    breaker_tell(b->breaker, b->now_ns);
}

static inline void bench_init(struct bench *b)
{
    *b = (struct bench){.rules = bench_rules(), .now_ns = 1000 * SECOND};
    bench_create(b);
}

static inline struct breaker_view bench_view(const struct bench *b)
{
    struct breaker_view view;

    breaker_view(b->breaker, b->now_ns, &view);
    return view;
}

static inline enum breaker_state bench_state(const struct bench *b)
{
    return BREAKER_STATE_OF(b->row.word);
}

static inline void bench_pass(struct bench *b, uint64_t ns)
{
    b->now_ns += ns;
    breaker_tick(b->breaker, b->now_ns);
}

/* One of the agent's own checks, begun and ended now. */
static inline void bench_check(struct bench *b, bool failed)
{
    breaker_call(b->breaker, b->now_ns, breaker_epoch(b->breaker), failed, false, NULL);
}

static inline bool kernel_open(struct breaker_row *row, uint64_t seen, uint64_t now_ns)
{
    bool moved = __sync_bool_compare_and_swap(
        &row->word, seen, BREAKER_WORD(BREAKER_EPOCH_OF(seen) + 1, BREAKER_OPEN));

    if (moved)
        row->opened_ns = now_ns;
    return moved;
}

/* A client's call as the kernel sees it. Returns whether it was let through. */
static inline bool kernel_call(struct breaker_row *row, bool failed, uint64_t now_ns)
{
    uint64_t word = row->word;

    switch (BREAKER_STATE_OF(word)) {
    case BREAKER_CLOSED:
        if (!failed)
            row->consecutive_failures = 0;
        else if (__sync_add_and_fetch(&row->consecutive_failures, 1) >= row->failure_threshold)
            kernel_open(row, word, now_ns);
        return true;
    case BREAKER_HALF_OPEN:
        if (__sync_fetch_and_add(&row->half_open_admitted, 1) >= row->half_open_max)
            return false;
        if (failed) {
            __sync_fetch_and_add(&row->half_open_failures, 1);
            kernel_open(row, word, now_ns);
        } else {
            __sync_fetch_and_add(&row->half_open_successes, 1);
        }
        return true;
    case BREAKER_OFF:
        return true;
    default:
        return false;
    }
}

/* The same, and the agent's next tick with what was counted. */
static inline void bench_call(struct bench *b, bool failed)
{
    bool closed = bench_state(b) == BREAKER_CLOSED;
    bool passed = kernel_call(&b->row, failed, b->now_ns);

    breaker_calls(b->breaker, b->now_ns, &(struct calls){passed && closed, failed, 0});
}

static inline int bench_setup(void **state)
{
    struct bench *b = malloc(sizeof(*b));

    assert_non_null(b);
    bench_init(b);
    *state = b;
    return 0;
}

static inline int bench_teardown(void **state)
{
    struct bench *b = *state;

    breaker_destroy(b->breaker);
    free(b);
    return 0;
}

static inline void bench_again(struct bench *b, const struct config_breaker *rules)
{
    breaker_destroy(b->breaker);
    b->rules = *rules;
    b->moves = 0;
    bench_create(b);
}

static inline void bench_fail(struct bench *b, int times)
{
    for (int i = 0; i < times; i++)
        bench_check(b, true);
}

static inline void bench_half_open(struct bench *b)
{
    bench_fail(b, 5);
    bench_pass(b, breaker_next_ns(b->breaker) - b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_HALF_OPEN);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

#endif
