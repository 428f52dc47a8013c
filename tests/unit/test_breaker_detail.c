/* A breaker that moves between two ticks: what is asked about it is of one moment. */
#include "base/clock.h"
#include "config_text.h"
#include "facts/breaker_entry.h"
#include "http/routes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char one[] = "{\"upstreams\":[{\"name\":\"pay\",\"address\":\"10.0.0.1:443\","
                          "\"breaker\":{\"mode\":\"observe\"}}]}";

static struct breaker_row rows[UPSTREAMS_MAX];

static double no_jitter(void *ctx)
{
    (void)ctx;
    return 0;
}

struct world {
    struct config *config;
    struct facts facts;
};

static int create(void **state)
{
    static struct world world;
    const struct services_ops ops = {.random = no_jitter};
    const struct services_rows memory = {rows, NULL};

    world = (struct world){.config = load_valid(one, NULL)};
    memset(rows, 0, sizeof(rows));
    world.facts.clock = clock_system();
    if (services_create(&world.facts.services, world.config, &memory, &ops, NS_PER_SECOND))
        return -1;
    *state = &world;
    return 0;
}

static int destroy(void **state)
{
    struct world *w = *state;

    facts_release(&w->facts);
    services_destroy(w->facts.services);
    config_destroy(w->config);
    return 0;
}

static void move(struct world *w, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        assert_int_equal(
            services_reset(w->facts.services, "pay", clock_monotonic_ns(w->facts.clock)), 0);
}

static void the_newest_comes_first_between_two_ticks(void **state)
{
    struct world *w = *state;
    struct breaker_detail detail;

    move(w, BREAKER_HISTORY + 1);
    facts_take(&w->facts);
    move(w, 2);
    assert_true(breaker_detail_take(&w->facts, "pay", &detail));
    assert_int_equal(detail.history_count, BREAKER_HISTORY);
    for (size_t i = 0; i < detail.history_count; i++)
        assert_int_equal(detail.history[i].transition->epoch, BREAKER_HISTORY + 3 - i);
    assert_int_equal(detail.entry.last.transition->epoch, BREAKER_HISTORY + 3);
    assert_int_equal(detail.entry.breaker.transitions_total, BREAKER_HISTORY + 3);
}

static void what_was_taken_stays_as_it_was(void **state)
{
    struct world *w = *state;

    move(w, 3);
    facts_take(&w->facts);
    move(w, BREAKER_HISTORY);
    assert_int_equal(w->facts.breaker_count, 1);
    assert_int_equal(w->facts.breakers[0].last.transition->epoch, 3);
    facts_take(&w->facts);
    assert_int_equal(w->facts.breakers[0].last.transition->epoch, BREAKER_HISTORY + 3);
}

static void nobody_has_no_breaker(void **state)
{
    struct world *w = *state;
    struct breaker_detail detail;
    struct facts without = w->facts;

    assert_false(breaker_detail_take(&w->facts, "nobody", &detail));
    without.services = NULL;
    assert_false(breaker_detail_take(&without, "pay", &detail));
}

/* Not the tick before, which what it did is younger than. */
static void a_body_is_dated_as_what_is_in_it(void **state)
{
    struct world *w = *state;
    struct snapshot snapshot = {.realtime_ns = NS_PER_SECOND};
    struct body_env env = {.facts = &w->facts};
    char allow[64], param[ROUTE_PARAM_BYTES];
    const struct route *route;
    struct body body;

    w->facts.snapshot = &snapshot;
    facts_take(&w->facts);
    move(w, 1);
    assert_int_equal(route_find("GET", "/breakers/pay", &route, allow, param), ROUTE_FOUND);
    env.param = param;
    assert_int_equal(route->body(&env, &body), 0);
    assert_int_equal(body.status, 200);
    assert_non_null(strstr(body.data, "\"ts\":\""));
    assert_null(strstr(body.data, "1970-01-01"));
    free(body.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_comes_first_between_two_ticks, create, destroy),
        cmocka_unit_test_setup_teardown(what_was_taken_stays_as_it_was, create, destroy),
        cmocka_unit_test_setup_teardown(a_body_is_dated_as_what_is_in_it, create, destroy),
        cmocka_unit_test_setup_teardown(nobody_has_no_breaker, create, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
