/* Readings that a collector can no longer get: what they were, and for how long. */
#include "collect/collectors.h"
#include "facts/last_known.h"
#include "tree.h"

static const char meminfo[] =
    "MemTotal: 4000 kB\nMemFree: 500 kB\nMemAvailable: 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";

struct scene {
    struct tree *tree;
    struct collectors *collectors;
    struct last_known *last;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    s->tree = tree_create();
    tree_write(s->tree, "proc/meminfo", meminfo);
    assert_int_equal(collectors_create(&s->collectors, &s->tree->env), 0);
    assert_int_equal(last_known_create(&s->last), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    last_known_destroy(s->last);
    collectors_destroy(s->collectors);
    tree_destroy(s->tree);
    free(s);
    return 0;
}

static const struct memory_snapshot *sample(struct scene *s, double seconds)
{
    s->tree->now_ns += (uint64_t)(seconds * 1e9);
    last_known_update(s->last, collectors_sample(s->collectors, s->tree->now_ns), s->tree->now_ns);
    return &collectors_snapshot(s->collectors)->memory;
}

static void what_was_known_is_told_with_its_age(void **state)
{
    struct scene *s = *state;
    const struct memory_snapshot *m = sample(s, 1);

    assert_known(m->usage_percent, 75);
    assert_null(m->usage_percent.last);
    tree_write(s->tree, "proc/meminfo", "");
    m = sample(s, 10);
    assert_missing(m->usage_percent, "/proc/meminfo");
    assert_non_null(m->usage_percent.last);
    assert_true(m->usage_percent.last->value == 75);
    assert_int_equal(m->usage_percent.last->age_ns, 10 * NS_PER_SECOND);
    m = sample(s, 5);
    assert_int_equal(m->total_bytes.last->age_ns, 15 * NS_PER_SECOND);
    /* It was never known. */
    assert_null(m->swap_usage_percent.last);
    tree_write(s->tree, "proc/meminfo", meminfo);
    m = sample(s, 1);
    assert_known(m->usage_percent, 75);
    assert_null(m->usage_percent.last);
}

static void what_is_too_old_is_not_told(void **state)
{
    struct scene *s = *state;
    const struct memory_snapshot *m = sample(s, 1);

    tree_write(s->tree, "proc/meminfo", "");
    m = sample(s, (double)LAST_KNOWN_MAX_NS / NS_PER_SECOND);
    assert_non_null(m->usage_percent.last);
    m = sample(s, 1);
    assert_null(m->usage_percent.last);
}

/* A section that is missing as a whole says nothing new, whatever its readings still hold. */
static void leftovers_are_not_fresh(void **state)
{
    static struct snapshot snapshot;
    struct last_known *l;

    assert_int_equal(last_known_create(&l), 0);
    snapshot.cpu.load1 = reading_of(2);
    last_known_update(l, &snapshot, 10);
    snapshot.cpu.missing = "unreadable";
    snapshot.cpu.load1 = reading_of(3);
    last_known_update(l, &snapshot, 30);
    assert_true(snapshot.cpu.load1.last->value == 2);
    assert_int_equal(snapshot.cpu.load1.last->age_ns, 20);
    last_known_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_known_is_told_with_its_age, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_old_is_not_told, set_up, tear_down),
        cmocka_unit_test(leftovers_are_not_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
