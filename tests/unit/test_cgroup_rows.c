/* Counters of the metrics page's cgroup rows never go back, whatever comes and goes. */
#include "abi/reclaim.h"
#include "facts/cgroup_rows.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CGROUPS_MAX 60

struct host {
    struct scheduler_snapshot scheduler;
    struct cgroup_waits waits[CGROUPS_MAX];
    char paths[CGROUPS_MAX][32];
};

static void add(struct host *host, uint64_t id)
{
    struct cgroup_waits *w = &host->waits[host->scheduler.cgroup_count];

    memset(w, 0, sizeof(*w));
    w->cgroup_id = id;
    snprintf(host->paths[host->scheduler.cgroup_count], sizeof(host->paths[0]), "/cgroup%llu",
             (unsigned long long)id);
    w->path = host->paths[host->scheduler.cgroup_count++];
    host->scheduler.cgroups = host->waits;
}

static void count(struct latency *latency, uint64_t ns)
{
    latency->count++;
    latency->sum_ns += ns;
    latency->slots[slot_of_ns(ns)]++;
}

static void event(struct host *host, size_t cgroup, uint64_t ns)
{
    count(&host->waits[cgroup].delay, ns);
    count(&host->scheduler.total.delay, ns);
    count(&host->waits[cgroup].blocked, ns / 2);
    count(&host->scheduler.blocked, ns / 2);
    count(&host->waits[cgroup].reclaim, ns / 3);
    count(&host->scheduler.reclaim[ns % RECLAIM_KIND_COUNT], ns / 3);
}

static void remove_at(struct host *host, size_t i)
{
    size_t last = --host->scheduler.cgroup_count;

    memmove(&host->waits[i], &host->waits[last], sizeof(host->waits[0]));
    memmove(host->paths[i], host->paths[last], sizeof(host->paths[0]));
    host->waits[i].path = host->paths[i];
}

static const struct cgroup_row *row_of(const struct cgroup_rows *rows, uint64_t id)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].cgroup_id == id)
            return &rows->rows[i];
    }
    return NULL;
}

static void few_cgroups_add_up_to_the_host(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    struct cgroup_rows *rows = calloc(1, sizeof(*rows));

    add(host, 1);
    add(host, 2);
    event(host, 0, 5000);
    event(host, 1, 7000);
    count(&host->scheduler.total.delay, 900); /* counted in no cgroup's row */
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->count, 2);
    assert_int_equal(row_of(rows, 2)->now.delay.sum_ns, 7000);
    assert_int_equal(rows->other.delay.sum_ns, 900);
    assert_int_equal(rows->other.delay.slots[0], 1);
    assert_int_equal(rows->other.blocked.sum_ns, 0);
    assert_int_equal(rows->other.reclaim.count, 0);
    free(rows);
    free(host);
}

static void a_removed_cgroup_does_not_come_back_in_other(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    struct cgroup_rows *rows = calloc(1, sizeof(*rows));

    add(host, 1);
    add(host, 2);
    event(host, 0, 5000);
    event(host, 1, 7000);
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    remove_at(host, 0);
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->count, 1);
    assert_int_equal(rows->other.delay.sum_ns, 0);
    free(rows);
    free(host);
}

static void a_newcomer_leaves_what_it_had_in_other(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    struct cgroup_rows *rows = calloc(1, sizeof(*rows));
    uint64_t before;

    for (uint64_t id = 1; id <= CGROUP_ROWS_MAX + 1; id++) {
        add(host, id);
        event(host, id - 1, id == CGROUP_ROWS_MAX + 1 ? 1000 : 100000);
    }
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->count, CGROUP_ROWS_MAX);
    assert_null(row_of(rows, CGROUP_ROWS_MAX + 1));
    assert_int_equal(rows->other.delay.sum_ns, 1000);
    for (int i = 0; i < 100; i++)
        event(host, CGROUP_ROWS_MAX, 100000);
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_non_null(row_of(rows, CGROUP_ROWS_MAX + 1));
    assert_int_equal(rows->count, CGROUP_ROWS_MAX);
    before = rows->other.delay.sum_ns;
    assert_int_equal(before, 1000 + 100 * 100000);
    event(host, CGROUP_ROWS_MAX, 100000); /* from now on in its own row only */
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->other.delay.sum_ns, before);
    free(rows);
    free(host);
}

/* The host's figure is read before those of the cgroups, which are an event ahead. */
static void other_holds_still_while_the_host_is_an_event_behind(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    struct cgroup_rows *rows = calloc(1, sizeof(*rows));

    add(host, 1);
    count(&host->scheduler.total.delay, 900);
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->other.delay.sum_ns, 900);
    count(&host->waits[0].delay, 400);
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->other.delay.sum_ns, 900);
    assert_int_equal(rows->other.delay.count, 1);
    free(rows);
    free(host);
}

static void the_unnamed_have_no_row(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    struct cgroup_rows *rows = calloc(1, sizeof(*rows));

    add(host, 0); /* the map's row for all it had no room for */
    add(host, 5);
    add(host, 6);
    host->waits[1].path = NULL; /* gone */
    host->waits[2].path = "/";  /* the root */
    for (size_t i = 0; i < 3; i++)
        event(host, i, 3000);
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->count, 1);
    assert_int_equal(rows->rows[0].cgroup_id, 6);
    assert_int_equal(rows->other.delay.sum_ns, 6000);
    free(rows);
    free(host);
}

static void a_path_made_again_has_one_row(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    struct cgroup_rows *rows = calloc(1, sizeof(*rows));

    add(host, 1);
    add(host, 2);
    host->waits[1].path = host->paths[0];
    cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
    assert_int_equal(rows->count, 1);
    free(rows);
    free(host);
}

/* xorshift64: the same sequence on every run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void step(struct host *host, uint64_t *seed, uint64_t *next_id)
{
    uint64_t dice = next_random(seed) % 100;
    size_t count_now = host->scheduler.cgroup_count;

    if (count_now < CGROUPS_MAX && (dice < 5 || count_now == 0))
        add(host, (*next_id)++);
    else if (dice < 8)
        remove_at(host, next_random(seed) % count_now);
    else
        event(host, next_random(seed) % count_now, next_random(seed) % 50000000);
}

static void counters_never_go_back_and_nothing_is_told_twice(void **state)
{
    struct host *host = calloc(1, sizeof(*host));
    struct cgroup_rows *rows = calloc(1, sizeof(*rows)), *before = calloc(1, sizeof(*before));
    uint64_t seed = 88172645463325252, next_id = 1;

    for (int page = 0; page < 3000; page++) {
        uint64_t told = 0, happened = host->scheduler.total.delay.count;

        for (int i = 0; i < 20; i++)
            step(host, &seed, &next_id);
        happened = host->scheduler.total.delay.count - happened;
        *before = *rows;
        cgroup_rows_update(rows, &host->scheduler, CGROUP_ROWS_MAX);
        assert_true(rows->count <= CGROUP_ROWS_MAX);
        for (size_t i = 0; i < sizeof(rows->other) / sizeof(__u64); i++)
            assert_true(((__u64 *)&rows->other)[i] >= ((__u64 *)&before->other)[i]);
        told = rows->other.delay.count - before->other.delay.count;
        for (size_t i = 0; i < rows->count; i++) {
            const struct cgroup_row *now = &rows->rows[i], *then = row_of(before, now->cgroup_id);

            if (then)
                told += now->now.delay.count - then->now.delay.count;
        }
        /* What a rate over all rows sees is what happened, or less when rows just changed. */
        assert_true(told <= happened);
    }
    free(before);
    free(rows);
    free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_cgroups_add_up_to_the_host),
        cmocka_unit_test(a_removed_cgroup_does_not_come_back_in_other),
        cmocka_unit_test(a_newcomer_leaves_what_it_had_in_other),
        cmocka_unit_test(other_holds_still_while_the_host_is_an_event_behind),
        cmocka_unit_test(the_unnamed_have_no_row),
        cmocka_unit_test(a_path_made_again_has_one_row),
        cmocka_unit_test(counters_never_go_back_and_nothing_is_told_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
