/* The retry manager on a virtual clock: every rule by itself, then random traffic against bounds
 * that are computed from the calls alone. */
#include "transfer/budget.h"
#include "transfer/retry.h"
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS NS_PER_MS

struct world {
    uint64_t now_ns;
    uint64_t bits; /* the next random number; 0: from the generator */
    uint64_t seed;
    const char *open; /* the destination whose breaker is open */
    struct clock clock;
    struct random_source random;
    struct retry_policy policy;
    struct retry *retry;
    struct retry_destination *to;
};

static uint64_t world_now(void *ctx)
{
    return ((struct world *)ctx)->now_ns;
}

/* xorshift64* */
static uint64_t world_bits(void *ctx)
{
    struct world *w = ctx;

    if (w->bits)
        return w->bits;
    w->seed ^= w->seed >> 12;
    w->seed ^= w->seed << 25;
    w->seed ^= w->seed >> 27;
    return w->seed * 0x2545f4914f6cdd1dULL;
}

static bool world_is_open(void *ctx, const char *destination)
{
    const struct world *w = ctx;

    return w->open && strcmp(w->open, destination) == 0;
}

static void begin_world(struct world *w)
{
    const struct retry_ops ops = {world_is_open, w};

    w->now_ns = w->now_ns ? w->now_ns : 1000 * NS_PER_SECOND;
    w->seed = 88172645463325252ULL;
    w->clock = (struct clock){world_now, world_now, w};
    w->random = (struct random_source){world_bits, w};
    if (!w->policy.max_attempts)
        w->policy = (struct retry_policy){
            .max_attempts = 5,
            .base_delay_ns = 100 * MS,
            .max_delay_ns = 1000 * MS,
            .jitter = RETRY_JITTER_NONE,
            .budget_share = 0.2,
            .budget_per_second = 10,
        };
    assert_int_equal(retry_create(&w->retry, &w->policy, &ops, &w->clock, &w->random), 0);
    assert_int_equal(retry_join(w->retry, &w->to, "http://a"), 0);
}

static const struct outcome ok = {OUTCOME_OK, 0}, reset = {OUTCOME_RETRYABLE, 0},
                            wrong = {OUTCOME_PERMANENT, 0}, busy = {OUTCOME_THROTTLED, 0};

static void delays_double_up_to_the_maximum(void **state)
{
    static const uint64_t expected_ms[] = {100, 200, 400, 800, 1000, 1000};
    struct world w = {.policy = {.max_attempts = 7,
                                 .base_delay_ns = 100 * MS,
                                 .max_delay_ns = 1000 * MS,
                                 .jitter = RETRY_JITTER_NONE,
                                 .budget_per_second = 100}};
    struct retry_call call;
    uint64_t delay_ns;

    begin_world(&w);
    retry_begin(w.to, &call);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_AGAIN);
        assert_int_equal(delay_ns, expected_ms[i] * MS);
    }
    delay_ns = 7;
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_STOP_ATTEMPTS);
    assert_int_equal(delay_ns, 7);
    assert_int_equal(call.attempts, 7);
    /* However often: no overflow. */
    assert_int_equal(retry_delay_ns(&w.policy, UINT32_MAX, &w.random), 1000 * MS);
    retry_destroy(w.retry);
}

static void jitter_spreads_over_its_whole_range(void **state)
{
    static const struct {
        enum retry_jitter jitter;
        uint64_t bits, delay_ns;
    } cases[] = {
        {RETRY_JITTER_FULL, 1, 0},
        {RETRY_JITTER_FULL, UINT64_MAX, 100 * MS},
        {RETRY_JITTER_FULL, 1ULL << 63, 50 * MS},
        {RETRY_JITTER_EQUAL, 1, 100 * MS},
        {RETRY_JITTER_EQUAL, UINT64_MAX, 50 * MS},
        {RETRY_JITTER_NONE, UINT64_MAX, 100 * MS},
    };
    struct world w = {0};

    begin_world(&w);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        w.policy.jitter = cases[i].jitter;
        w.bits = cases[i].bits;
        assert_int_equal(retry_delay_ns(&w.policy, 1, &w.random), cases[i].delay_ns);
    }
    retry_destroy(w.retry);
}

static void success_and_permanent_failures_end_a_call(void **state)
{
    struct world w = {0};
    struct retry_call call;
    uint64_t delay_ns;

    begin_world(&w);
    retry_begin(w.to, &call);
    assert_int_equal(retry_after(w.to, &call, &ok, &delay_ns), RETRY_DONE);
    retry_begin(w.to, &call);
    assert_int_equal(retry_after(w.to, &call, &wrong, &delay_ns), RETRY_STOP_PERMANENT);
    retry_begin(w.to, &call);
    assert_int_equal(retry_after(w.to, &call, &busy, &delay_ns), RETRY_AGAIN);
    assert_int_equal(delay_ns, 100 * MS);
    retry_destroy(w.retry);
}

static void retry_after_is_kept_to_exactly(void **state)
{
    const struct outcome asked = {OUTCOME_THROTTLED, 7 * NS_PER_SECOND};
    struct world w = {.policy = {.max_attempts = 9,
                                 .base_delay_ns = 100 * MS,
                                 .max_delay_ns = 1000 * MS, /* not of the server's wish */
                                 .max_elapsed_ns = 10 * NS_PER_SECOND,
                                 .jitter = RETRY_JITTER_FULL,
                                 .budget_per_second = 10}};
    struct retry_call call;
    uint64_t delay_ns;

    begin_world(&w);
    retry_begin(w.to, &call);
    assert_int_equal(retry_after(w.to, &call, &asked, &delay_ns), RETRY_AGAIN);
    assert_int_equal(delay_ns, 7 * NS_PER_SECOND);
    w.now_ns += delay_ns;
    assert_int_equal(retry_after(w.to, &call, &asked, &delay_ns), RETRY_STOP_ELAPSED);
    retry_destroy(w.retry);
}

static void no_attempt_starts_after_the_elapsed_limit(void **state)
{
    struct world w = {.policy = {.max_attempts = 99,
                                 .base_delay_ns = 400 * MS,
                                 .max_delay_ns = 400 * MS,
                                 .max_elapsed_ns = 1000 * MS,
                                 .jitter = RETRY_JITTER_NONE,
                                 .budget_per_second = 10}};
    struct retry_call call;
    uint64_t delay_ns;

    begin_world(&w);
    retry_begin(w.to, &call);
    w.now_ns += 600 * MS; /* the attempt itself takes time: 600 + 400 is just allowed */
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_AGAIN);
    w.now_ns += 1;
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_STOP_ELAPSED);
    w.now_ns += 10 * NS_PER_SECOND;
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_STOP_ELAPSED);
    retry_destroy(w.retry);
}

static void an_open_destination_is_not_retried(void **state)
{
    struct world w = {0};
    struct retry_destination *other;
    struct retry_destination_view view;
    struct retry_call call;
    uint64_t delay_ns;
    double balance;

    begin_world(&w);
    assert_int_equal(retry_join(w.retry, &other, "http://b"), 0);
    retry_begin(w.to, &call);
    retry_view(w.retry, 0, &view);
    balance = view.budget_balance;
    w.open = "http://a";
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_STOP_OPEN);
    retry_view(w.retry, 0, &view);
    assert_true(view.budget_balance == balance); /* and nothing is paid for it */
    retry_begin(other, &call);
    assert_int_equal(retry_after(other, &call, &reset, &delay_ns), RETRY_AGAIN);
    /* It may open while the call waits. */
    w.open = "http://b";
    assert_false(retry_may_send(other));
    assert_true(retry_may_send(w.to));
    retry_destroy(w.retry);
}

static void the_budget_is_a_share_of_calls_and_a_rate(void **state)
{
    struct world w = {0};
    struct retry_call call;
    uint64_t delay_ns;
    int retries = 0;

    begin_world(&w);
    /* 100 calls in one instant fail: 20 retries of the share, and 10 of the second. */
    for (int i = 0; i < 100; i++)
        retry_begin(w.to, &call);
    for (int i = 0; i < 100; i++) {
        call.attempts = 0;
        retries += retry_after(w.to, &call, &reset, &delay_ns) == RETRY_AGAIN;
    }
    assert_int_equal(retries, 30);
    /* Half a second later the rate allows 5 more. */
    w.now_ns += 500 * MS;
    for (retries = 0, call.attempts = 0; retry_after(w.to, &call, &reset, &delay_ns) == RETRY_AGAIN;
         retries++)
        call.attempts = 0;
    assert_int_equal(retries, 5);
    retry_destroy(w.retry);
}

static void earned_retries_lapse(void **state)
{
    struct retry_budget budget;
    uint64_t now_ns = 50 * NS_PER_SECOND;

    retry_budget_init(&budget, 0.5, 0, now_ns);
    assert_false(retry_budget_spend(&budget, now_ns));
    for (int i = 0; i < 4; i++)
        retry_budget_earn(&budget, now_ns);
    assert_true(retry_budget_spend(&budget, now_ns + 9 * NS_PER_SECOND));
    assert_false(retry_budget_spend(&budget, now_ns + 10 * NS_PER_SECOND));
    /* Less than one per second still adds up to one, and to no more. */
    retry_budget_init(&budget, 0, 0.1, now_ns);
    assert_true(retry_budget_spend(&budget, now_ns));
    assert_false(retry_budget_spend(&budget, now_ns + 9 * NS_PER_SECOND));
    assert_true(retry_budget_spend(&budget, now_ns + 10 * NS_PER_SECOND));
    assert_true(retry_budget_spend(&budget, now_ns + 90 * NS_PER_SECOND));
    assert_false(retry_budget_spend(&budget, now_ns + 90 * NS_PER_SECOND));
    /* A smaller rate applies to what is there. */
    retry_budget_init(&budget, 0, 50, now_ns);
    retry_budget_set(&budget, 0, 2);
    assert_true(retry_budget_balance(&budget, now_ns) == 2);
}

static void those_who_call_one_destination_share_it(void **state)
{
    struct world w = {0};
    struct retry_destination *again, *third;
    struct retry_destination_view view;
    char name[32];

    begin_world(&w);
    assert_int_equal(retry_join(w.retry, &again, "http://a"), 0);
    assert_ptr_equal(again, w.to);
    assert_int_equal(retry_join(w.retry, &third, "http://b"), 0);
    retry_leave(again);
    assert_int_equal(retry_destination_count(w.retry), 2);
    retry_leave(w.to);
    assert_int_equal(retry_destination_count(w.retry), 1);
    retry_view(w.retry, 0, &view);
    assert_string_equal(view.name, "http://b");
    retry_leave(NULL);
    for (int i = 1; i < RETRY_DESTINATIONS_MAX; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(retry_join(w.retry, &again, name), 0);
    }
    again = NULL;
    assert_int_equal(retry_join(w.retry, &again, "one too many"), -ENOSPC);
    assert_null(again);
    retry_destroy(w.retry);
    retry_destroy(NULL);
}

static void the_view_counts_each_attempt_once(void **state)
{
    struct world w = {0};
    struct retry_destination_view view;
    struct retry_call call;
    uint64_t delay_ns;

    begin_world(&w);
    retry_begin(w.to, &call);
    retry_after(w.to, &call, &reset, &delay_ns);
    retry_after(w.to, &call, &busy, &delay_ns);
    retry_after(w.to, &call, &ok, &delay_ns);
    retry_view(w.retry, 0, &view);
    assert_int_equal(view.calls_total, 1);
    assert_int_equal(view.attempts_total[OUTCOME_RETRYABLE], 1);
    assert_int_equal(view.attempts_total[OUTCOME_THROTTLED], 1);
    assert_int_equal(view.attempts_total[OUTCOME_OK], 1);
    assert_int_equal(view.decisions_total[RETRY_AGAIN], 2);
    assert_int_equal(view.decisions_total[RETRY_DONE], 1);
    assert_int_equal(view.delay_ns, 200 * MS);
    assert_string_equal(retry_decision_name(RETRY_STOP_BUDGET), "budget");
    assert_string_equal(outcome_class_name(OUTCOME_THROTTLED), "throttled");
    retry_destroy(w.retry);
}

#define STEPS 4000

/* Random traffic in random time. In every window the retries stay within the calls of the window
 * and of the ten seconds before it, times the share, plus the rate, plus one full bucket. */
static void the_budget_holds_in_every_window(void **state)
{
    static uint64_t time_ns[STEPS];
    static unsigned calls[STEPS], retries[STEPS];

    for (unsigned round = 0; round < 8; round++) {
        struct world w = {0};
        struct retry_call call;
        uint64_t delay_ns, low_ns, high_ns;

        begin_world(&w);
        w.seed += round * 7919;
        w.policy.jitter = (enum retry_jitter)(round % 3);
        w.policy.budget_share = (double)(round % 4) / 8;
        w.policy.budget_per_second = (double)(round % 3);
        retry_set_policy(w.retry, &w.policy);
        for (int i = 0; i < STEPS; i++) {
            w.now_ns += random_up_to(&w.random, 100 * MS);
            time_ns[i] = w.now_ns;
            calls[i] = (unsigned)random_up_to(&w.random, 3);
            retries[i] = 0;
            for (unsigned c = 0; c < calls[i]; c++) {
                retry_begin(w.to, &call);
                while (retry_after(w.to, &call, &reset, &delay_ns) == RETRY_AGAIN) {
                    high_ns = w.policy.base_delay_ns << (call.attempts - 1);
                    low_ns = w.policy.jitter == RETRY_JITTER_NONE    ? high_ns
                             : w.policy.jitter == RETRY_JITTER_EQUAL ? high_ns / 2
                                                                     : 0;
                    assert_in_range(delay_ns, low_ns, high_ns);
                    retries[i]++;
                }
                assert_in_range(call.attempts, 1, 5);
            }
        }
        for (int from = 0; from < STEPS; from += 37) {
            double earned = 0, spent = 0, allowed;

            for (int i = 0; i < from; i++)
                if (time_ns[i] + RETRY_BUDGET_TTL_NS >= time_ns[from])
                    earned += calls[i];
            for (int to = from; to < STEPS; to++) {
                earned += calls[to];
                spent += retries[to];
                allowed = earned * w.policy.budget_share +
                          w.policy.budget_per_second * (double)(time_ns[to] - time_ns[from]) / 1e9 +
                          RETRY_BUDGET_FREE_MAX(w.policy.budget_per_second);
                assert_true(spent <= allowed + 1e-6);
            }
        }
        retry_destroy(w.retry);
    }
}

/* A message that must not be lost has a policy of its own. */
static void a_patient_call_waits_instead_of_ending(void **state)
{
    struct retry_policy own;
    struct world w = {0};
    struct retry_call call;
    uint64_t delay_ns;

    begin_world(&w);
    own = w.policy;
    own.patient = true;
    own.jitter = RETRY_JITTER_NONE;
    own.max_attempts = UINT_MAX;
    own.max_elapsed_ns = 0;
    own.base_delay_ns = 10 * MS;
    own.max_delay_ns = 5000 * MS;
    own.budget_share = 0;
    own.budget_per_second = 1;
    retry_set_own_policy(w.to, &own);
    retry_set_policy(w.retry, &w.policy);
    retry_begin(w.to, &call);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_AGAIN);
        /* The first one is free; without budget it is as slow as can be. */
        assert_int_equal(delay_ns, i == 0 ? 10 * MS : 5000 * MS);
    }
    w.open = "http://a";
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_AGAIN);
    retry_destroy(w.retry);
}

static void a_resumed_call_has_one_more_attempt(void **state)
{
    struct world w = {0};
    struct retry_call call;
    uint64_t delay_ns;

    begin_world(&w);
    w.policy.max_attempts = 3;
    w.policy.max_elapsed_ns = 0;
    retry_set_policy(w.retry, &w.policy);
    retry_resume(w.to, &call, 1, 500 * MS);
    assert_int_equal(call.started_ns, w.now_ns - 500 * MS);
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_AGAIN);
    assert_int_equal(retry_after(w.to, &call, &reset, &delay_ns), RETRY_STOP_ATTEMPTS);
    /* Older than the clock, and tried more often than is allowed now. */
    retry_resume(w.to, &call, 9, UINT64_MAX);
    assert_int_equal(call.started_ns, 0);
    assert_int_equal(call.attempts, 2);
    retry_destroy(w.retry);
}

static void statuses_have_their_class(void **state)
{
    static const struct {
        unsigned status;
        enum outcome_class http, smtp;
    } cases[] = {
        {200, OUTCOME_OK, OUTCOME_OK},
        {301, OUTCOME_OK, OUTCOME_OK},
        {404, OUTCOME_PERMANENT, OUTCOME_RETRYABLE},
        {408, OUTCOME_RETRYABLE, OUTCOME_RETRYABLE},
        {421, OUTCOME_PERMANENT, OUTCOME_RETRYABLE},
        {429, OUTCOME_THROTTLED, OUTCOME_RETRYABLE},
        {500, OUTCOME_RETRYABLE, OUTCOME_PERMANENT},
        {501, OUTCOME_PERMANENT, OUTCOME_PERMANENT},
        {503, OUTCOME_RETRYABLE, OUTCOME_PERMANENT},
        {0, OUTCOME_RETRYABLE, OUTCOME_RETRYABLE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(outcome_of_http(cases[i].status), cases[i].http);
        assert_int_equal(outcome_of_smtp(cases[i].status), cases[i].smtp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_the_maximum),
        cmocka_unit_test(jitter_spreads_over_its_whole_range),
        cmocka_unit_test(success_and_permanent_failures_end_a_call),
        cmocka_unit_test(retry_after_is_kept_to_exactly),
        cmocka_unit_test(no_attempt_starts_after_the_elapsed_limit),
        cmocka_unit_test(an_open_destination_is_not_retried),
        cmocka_unit_test(the_budget_is_a_share_of_calls_and_a_rate),
        cmocka_unit_test(earned_retries_lapse),
        cmocka_unit_test(those_who_call_one_destination_share_it),
        cmocka_unit_test(the_view_counts_each_attempt_once),
        cmocka_unit_test(the_budget_holds_in_every_window),
        cmocka_unit_test(a_patient_call_waits_instead_of_ending),
        cmocka_unit_test(a_resumed_call_has_one_more_attempt),
        cmocka_unit_test(statuses_have_their_class),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
