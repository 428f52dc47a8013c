#include "base/clock.h"
#include "service/fallback.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char *endpoints[] = {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"};

struct bench {
    struct config_fallback rules;
    struct fallback *fallback;
    struct fallback_choice choice;
    enum endpoint_state states[3];
    uint64_t now_ns, cached_ns;
    int switches;
    char said[160];
};

static void on_switch(void *ctx, const struct fallback_switch *s)
{
    struct bench *b = ctx;

    b->switches++;
    fallback_say(s, b->said, sizeof(b->said));
}

static void start(struct bench *b, enum fallback_strategy strategy)
{
    const struct fallback_ops ops = {on_switch, b};

    *b = (struct bench){
        .rules = {.given = true,
                  .enabled = true,
                  .strategy = strategy,
                  .endpoints = {3, endpoints},
                  .cache_ttl_seconds = 300},
        .now_ns = 1000 * NS_PER_SECOND,
    };
    assert_int_equal(fallback_create(&b->fallback, &b->rules, &ops), 0);
}

static void tick(struct bench *b, bool open)
{
    const struct fallback_input in = {open, b->states, b->cached_ns};

    fallback_tick(b->fallback, b->now_ns, &in, &b->choice);
}

static void offers(struct bench *b, enum fallback_offer offer, size_t endpoint)
{
    tick(b, true);
    assert_int_equal(b->choice.offer, offer);
    assert_int_equal(b->choice.endpoint, endpoint);
}

static void set(struct bench *b, enum endpoint_state first, enum endpoint_state second,
                enum endpoint_state third)
{
    b->states[0] = first;
    b->states[1] = second;
    b->states[2] = third;
}

static void the_first_that_is_up_and_sticky(void **state)
{
    struct fallback_view view;
    struct bench b;

    start(&b, FALLBACK_ALTERNATIVE);
    tick(&b, false);
    assert_int_equal(b.choice.offer, FALLBACK_OFFERS_PRIMARY);
    assert_int_equal(b.switches, 0);
    set(&b, ENDPOINT_DOWN, ENDPOINT_UNTRIED, ENDPOINT_UP);
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 2);
    assert_string_equal(b.said, "from the upstream to 10.0.0.3:80");
    set(&b, ENDPOINT_UP, ENDPOINT_UP, ENDPOINT_UP);
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 2);
    /* Its check has not answered lately: no reason to move anybody. */
    set(&b, ENDPOINT_UP, ENDPOINT_UP, ENDPOINT_UNTRIED);
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 2);
    set(&b, ENDPOINT_UP, ENDPOINT_UP, ENDPOINT_DOWN);
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 0);
    set(&b, ENDPOINT_DOWN, ENDPOINT_UNTRIED, ENDPOINT_DOWN);
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 1);
    tick(&b, false);
    assert_int_equal(b.choice.offer, FALLBACK_OFFERS_PRIMARY);
    assert_int_equal(b.switches, 4);
    fallback_view(b.fallback, &view);
    assert_int_equal(view.switches_total[FALLBACK_OFFERS_ENDPOINT], 3);
    assert_int_equal(view.switches_total[FALLBACK_OFFERS_PRIMARY], 1);
    assert_int_equal(view.history_count, 4);
    assert_string_equal(view.history[1]->endpoint, "10.0.0.2:80");
    assert_string_equal(view.history[3]->endpoint, "10.0.0.3:80");
    fallback_destroy(b.fallback);
}

static void nothing_to_offer_is_said(void **state)
{
    struct bench b;

    start(&b, FALLBACK_ALTERNATIVE);
    set(&b, ENDPOINT_DOWN, ENDPOINT_DOWN, ENDPOINT_DOWN);
    offers(&b, FALLBACK_OFFERS_NOTHING, 0);
    assert_string_equal(b.said, "from the upstream to nothing: every endpoint is down");
    offers(&b, FALLBACK_OFFERS_NOTHING, 0);
    assert_int_equal(b.switches, 1);
    b.states[1] = ENDPOINT_UP;
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 1);
    b.rules.enabled = false;
    offers(&b, FALLBACK_OFFERS_NOTHING, 0);
    assert_string_equal(b.choice.refusal, "the fallback is disabled");
    b.rules.given = false;
    offers(&b, FALLBACK_OFFERS_NOTHING, 0);
    assert_string_equal(b.choice.refusal, "no fallback is configured");
    fallback_destroy(b.fallback);
}

static void a_cached_answer_until_it_is_too_old(void **state)
{
    struct bench b;

    start(&b, FALLBACK_CACHED);
    offers(&b, FALLBACK_OFFERS_NOTHING, 0);
    assert_string_equal(b.choice.refusal, "no good answer was kept yet");
    b.cached_ns = b.now_ns;
    offers(&b, FALLBACK_OFFERS_CACHED, 0);
    b.now_ns += 300 * NS_PER_SECOND;
    offers(&b, FALLBACK_OFFERS_CACHED, 0);
    b.now_ns += 1;
    offers(&b, FALLBACK_OFFERS_NOTHING, 0);
    assert_string_equal(b.choice.refusal, "the last good answer is older than cache_ttl");
    b.cached_ns = b.now_ns;
    offers(&b, FALLBACK_OFFERS_CACHED, 0);
    fallback_destroy(b.fallback);
}

static void the_reduced_answer_is_always_there(void **state)
{
    struct bench b;

    start(&b, FALLBACK_REDUCED);
    offers(&b, FALLBACK_OFFERS_REDUCED, 0);
    assert_string_equal(b.said, "from the upstream to the reduced answer");
    fallback_destroy(b.fallback);
}

static void another_list_is_chosen_from_anew(void **state)
{
    struct config_fallback other;
    struct bench b;

    start(&b, FALLBACK_ALTERNATIVE);
    set(&b, ENDPOINT_DOWN, ENDPOINT_DOWN, ENDPOINT_UP);
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 2);
    other = b.rules;
    other.endpoints.count = 1;
    fallback_configure(b.fallback, &other);
    b.states[0] = ENDPOINT_UP;
    offers(&b, FALLBACK_OFFERS_ENDPOINT, 0);
    assert_int_equal(b.switches, 2);
    fallback_destroy(b.fallback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_is_up_and_sticky),
        cmocka_unit_test(nothing_to_offer_is_said),
        cmocka_unit_test(a_cached_answer_until_it_is_too_old),
        cmocka_unit_test(the_reduced_answer_is_always_there),
        cmocka_unit_test(another_list_is_chosen_from_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
