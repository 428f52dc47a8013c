/* Who is named as a retry storm, by sequences of attempts on a virtual clock. */
#include "base/clock.h"
#include "service/retry_storm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct bench {
    struct retry_storms *storms;
    uint64_t now_ns;
    struct connect_client total[3];
    int begun, ended;
    char last[64];
};

static void on_changed(void *ctx, const struct retry_client_view *client, bool begun)
{
    struct bench *b = ctx;

    b->begun += begun;
    b->ended += !begun;
    snprintf(b->last, sizeof(b->last), "%s %u %s", client->comm, client->pid, client->cgroup);
}

static const char *path_of(void *ctx, uint64_t cgroup_id)
{
    return cgroup_id == 100 ? "/app" : NULL;
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    b->now_ns = 1000 * NS_PER_SECOND;
    *state = b;
    return retry_storms_create(&b->storms);
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    retry_storms_destroy(b->storms);
    free(b);
    return 0;
}

/* Seconds in which client `who` tries `attempts` times each; the others are silent. */
static void run(struct bench *b, int seconds, unsigned who, uint64_t attempts, bool failing)
{
    const struct retry_storm_ops ops = {on_changed, path_of, b};

    for (int i = 0; i < seconds; i++) {
        b->now_ns += NS_PER_SECOND;
        b->total[who].attempts += attempts;
        b->total[who].pid = 40 + who;
        for (unsigned c = 0; c < 3; c++) {
            struct connect_client_key key = {.cgroup_id = 100 + c};

            snprintf(key.comm, sizeof(key.comm), "client%u", c);
            if (b->total[c].attempts)
                retry_storms_feed(b->storms, b->now_ns, &key, &b->total[c]);
        }
        retry_storms_tick(b->storms, b->now_ns, failing, &ops);
    }
}

static size_t storming(const struct bench *b, struct retry_client_view *ret)
{
    return retry_storms_view(b->storms, ret, 1);
}

static void one_that_grows_is_named(void **state)
{
    struct bench *b = *state;
    struct retry_client_view view;

    run(b, 60, 0, 5, false);
    run(b, 5, 0, 50, true);
    assert_int_equal(b->begun, 1);
    assert_string_equal(b->last, "client0 40 /app");
    assert_int_equal(storming(b, &view), 1);
    assert_float_equal(view.usual_per_second, 5, 0.01);
    run(b, 10, 0, 50, true);
    storming(b, &view);
    assert_float_equal(view.attempts_per_second, 50, 5);
    assert_int_equal(b->begun, 1);
    assert_int_equal(retry_storms_total(b->storms), 1);
    assert_int_equal(view.pid, 40);
}

static void more_of_it_is_no_storm_while_the_upstream_works(void **state)
{
    struct bench *b = *state;

    run(b, 60, 0, 5, false);
    run(b, 60, 0, 50, false);
    assert_int_equal(b->begun, 0);
}

static void as_often_as_ever_is_no_storm(void **state)
{
    struct bench *b = *state;

    run(b, 60, 0, 50, false);
    run(b, 60, 0, 100, true);
    assert_int_equal(b->begun, 0);
    /* Nor is one that backs off. */
    run(b, 60, 0, 1, true);
    assert_int_equal(b->begun, 0);
}

static void a_few_attempts_are_no_storm(void **state)
{
    struct bench *b = *state;

    b->total[0].attempts = 1;
    run(b, 120, 0, 0, false);
    run(b, RETRY_STORM_ATTEMPTS - 1, 0, 1, true);
    assert_int_equal(b->begun, 0);
    run(b, 20, 0, 3, true);
    assert_int_equal(b->begun, 1);
}

static void a_newcomer_is_held_against_its_first_window(void **state)
{
    struct bench *b = *state;

    run(b, 20, 1, 1, true);
    run(b, 30, 0, 50, true);
    assert_int_equal(b->begun, 0);
    run(b, 20, 0, 200, true);
    assert_int_equal(b->begun, 1);
    assert_string_equal(b->last, "client0 40 /app");
}

static void it_ends_with_the_failing_or_with_the_growth(void **state)
{
    struct bench *b = *state;

    run(b, 60, 2, 2, false);
    run(b, 10, 2, 40, true);
    assert_int_equal(b->begun, 1);
    assert_string_equal(b->last, "client2 42 "); /* its cgroup is gone */
    run(b, 15, 2, 2, true);
    assert_int_equal(b->ended, 1);
    run(b, 10, 2, 40, true);
    assert_int_equal(b->begun, 2);
    /* One success among failures ends nothing; a window of them does. */
    run(b, 2, 2, 40, false);
    assert_int_equal(b->ended, 1);
    run(b, 10, 2, 40, false);
    assert_int_equal(b->ended, 2);
    assert_int_equal(storming(b, &(struct retry_client_view){0}), 0);
}

/* The kernel's table pushed the client out: its count begins anew. */
static void a_count_that_began_anew_is_no_storm(void **state)
{
    struct bench *b = *state;

    b->total[0].attempts = 1000000;
    run(b, 60, 0, 5, true);
    b->total[0].attempts = 0;
    run(b, 20, 0, 5, true);
    assert_int_equal(b->begun, 0);
}

static void there_is_room_for_newcomers(void **state)
{
    struct bench *b = *state;

    for (unsigned i = 0; i < 3 * RETRY_CLIENTS_MAX; i++) {
        struct connect_client_key key = {.cgroup_id = i};
        struct connect_client total = {.attempts = 1};

        retry_storms_feed(b->storms, b->now_ns + i, &key, &total);
    }
    run(b, 60, 0, 2, false);
    run(b, 20, 0, 50, true);
    assert_int_equal(b->begun, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_that_grows_is_named),
        CASE(more_of_it_is_no_storm_while_the_upstream_works),
        CASE(as_often_as_ever_is_no_storm),
        CASE(a_few_attempts_are_no_storm),
        CASE(a_newcomer_is_held_against_its_first_window),
        CASE(it_ends_with_the_failing_or_with_the_growth),
        CASE(a_count_that_began_anew_is_no_storm),
        CASE(there_is_room_for_newcomers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
