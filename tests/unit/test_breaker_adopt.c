/* The breaker among others: a kernel that is faster, an agent that ends and another that begins. */
#include "breaker_fixture.h"
#include <pthread.h>

/* Plays the kernel between the agent's decision and its swap. */
static void trip_meanwhile(struct bench *b)
{
    b->on_random = NULL;
    assert_true(kernel_open(&b->row, b->row.word, b->now_ns));
}

static void a_lost_swap_is_the_kernels_transition(void **state)
{
    struct bench *b = *state;

    b->on_random = trip_meanwhile;
    breaker_calls(b->breaker, b->now_ns, &(struct calls){20, 20, 0});
    assert_int_equal(b->row.word, BREAKER_WORD(1, BREAKER_OPEN));
    assert_int_equal(b->moves, 1);
    assert_true(b->last.by_kernel);
    assert_int_equal(b->last.cause, BREAKER_CAUSE_CONSECUTIVE);
    /* What the agent had drawn for its own opening is not counted: 60 s, then 120 s. */
    assert_int_equal(bench_view(b).recovery_timeout_ns, 120 * SECOND);
}

static void an_operator_wins_after_the_kernel(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 5; i++)
        kernel_call(&b->row, true, b->now_ns);
    assert_int_equal(breaker_close(b->breaker, b->now_ns), 0);
    assert_int_equal(b->row.word, BREAKER_WORD(2, BREAKER_CLOSED));
    assert_int_equal(b->moves, 2);
}

static void a_pinned_row_goes_on_where_it_stood(void **state)
{
    struct bench *b = *state;
    struct breaker_saved saved;

    b->draw = 0.5;
    bench_half_open(b);
    bench_check(b, true); /* open for 90 s of 120 */
    breaker_save(b->breaker, b->now_ns, &saved);
    breaker_destroy(b->breaker);
    b->now_ns += 80 * SECOND;
    b->draw = 0;
    bench_create(b);
    assert_int_equal(b->row.word, saved.word);
    assert_int_equal(b->last.cause, BREAKER_CAUSE_ADOPTED);
    breaker_restore(b->breaker, &saved, false, b->now_ns);
    bench_pass(b, 10 * SECOND - 1);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
    bench_pass(b, 1);
    assert_int_equal(bench_state(b), BREAKER_HALF_OPEN);
    bench_check(b, true);
    assert_int_equal(b->last.retry_ns - b->now_ns, 120 * SECOND); /* draw 0: half of 240 s */
}

static void without_its_saved_state_too(void **state)
{
    struct bench *b = *state;

    bench_fail(b, 5);
    bench_again(b, &b->rules);
    assert_int_equal(b->last.cause, BREAKER_CAUSE_ADOPTED);
    assert_int_equal(breaker_next_ns(b->breaker), b->row.opened_ns + 60 * SECOND);
    bench_pass(b, 60 * SECOND);
    assert_int_equal(bench_state(b), BREAKER_HALF_OPEN);
    b->row.half_open_successes = 2;
    bench_again(b, &b->rules);
    bench_check(b, false);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
}

static void half_open_does_not_stick_across_a_restart(void **state)
{
    struct bench *b = *state;

    bench_half_open(b);
    bench_again(b, &b->rules);
    bench_pass(b, 60 * SECOND);
    assert_int_equal(bench_state(b), BREAKER_OPEN);
}

static void a_lost_row_is_made_again(void **state)
{
    struct bench *b = *state;
    struct breaker_saved saved;

    bench_half_open(b);
    bench_check(b, true);
    breaker_save(b->breaker, b->now_ns, &saved);
    b->row = (struct breaker_row){0};
    b->now_ns = 10 * SECOND; /* rebooted */
    bench_again(b, &b->rules);
    breaker_restore(b->breaker, &saved, true, b->now_ns);
    assert_int_equal(b->row.word, BREAKER_WORD(1, BREAKER_OPEN));
    assert_int_equal(breaker_next_ns(b->breaker), 70 * SECOND);
    assert_int_equal(bench_view(b).recovery_timeout_ns, 240 * SECOND);
}

static void forced_by_hand_or_by_mode_across_a_restart(void **state)
{
    struct bench *b = *state;
    struct config_breaker rules = b->rules;
    struct breaker_saved saved;

    breaker_open(b->breaker, b->now_ns);
    breaker_save(b->breaker, b->now_ns, &saved);
    bench_again(b, &rules);
    breaker_restore(b->breaker, &saved, false, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_FORCED_OPEN);
    rules.mode = BREAKER_MODE_FORCED_OPEN;
    bench_again(b, &rules);
    breaker_save(b->breaker, b->now_ns, &saved);
    rules.mode = BREAKER_MODE_ENFORCE;
    bench_again(b, &rules);
    breaker_restore(b->breaker, &saved, false, b->now_ns);
    assert_int_equal(bench_state(b), BREAKER_CLOSED);
}

static void a_row_of_nonsense_is_closed(void **state)
{
    struct bench *b = *state;

    b->row.word = BREAKER_WORD(77, 200);
    bench_again(b, &b->rules);
    assert_int_equal(b->row.word, BREAKER_WORD(78, BREAKER_CLOSED));
}

static struct {
    struct breaker_row *row;
    bool stop;
    uint64_t moves;
} rival;

static void *trip_whenever_possible(void *arg)
{
    while (!__atomic_load_n(&rival.stop, __ATOMIC_SEQ_CST)) {
        uint64_t word = __atomic_load_n(&rival.row->word, __ATOMIC_SEQ_CST);

        if (BREAKER_STATE_OF(word) != BREAKER_OPEN)
            __atomic_fetch_add(&rival.moves, kernel_open(rival.row, word, 0), __ATOMIC_SEQ_CST);
    }
    return arg;
}

/* Each epoch has one maker: what the agent says it and the kernel did adds up to the epoch. */
static void two_sides_at_once(void **state)
{
    struct bench *b = *state;
    struct breaker_view view;
    pthread_t thread;

    rival.row = &b->row;
    rival.stop = false;
    rival.moves = 0;
    assert_int_equal(pthread_create(&thread, NULL, trip_whenever_possible, NULL), 0);
    /* However late the rival is scheduled. */
    for (int i = 0; i < 100000 || !__atomic_load_n(&rival.moves, __ATOMIC_SEQ_CST); i++) {
        breaker_reset(b->breaker, b->now_ns);
        bench_check(b, true);
        bench_pass(b, 60 * SECOND);
        bench_check(b, false);
    }
    __atomic_store_n(&rival.stop, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    breaker_tick(b->breaker, b->now_ns);
    view = bench_view(b);
    assert_int_equal(view.epoch, BREAKER_EPOCH_OF(b->row.word));
    assert_int_equal(view.transitions_total, view.epoch);
    assert_true(rival.moves < view.epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_lost_swap_is_the_kernels_transition),
        BENCH_TEST(an_operator_wins_after_the_kernel),
        BENCH_TEST(a_pinned_row_goes_on_where_it_stood),
        BENCH_TEST(without_its_saved_state_too),
        BENCH_TEST(half_open_does_not_stick_across_a_restart),
        BENCH_TEST(a_lost_row_is_made_again),
        BENCH_TEST(forced_by_hand_or_by_mode_across_a_restart),
        BENCH_TEST(a_row_of_nonsense_is_closed),
        BENCH_TEST(two_sides_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
