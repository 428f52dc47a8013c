/* What services and upstreams remember over a restart, and whose it is then. */
#include "base/clock.h"
#include "breaker/row.h"
#include "config_text.h"
#include "service/services_recall.h"
#include <stdlib.h>

#define S NS_PER_SECOND
#define REALTIME (1700000000 * S)

static const char two[] =
    "{\"services\":[{\"name\":\"web\",\"kind\":\"http\",\"match\":{\"comm\":\"nginx\"}}],"
    "\"upstreams\":[{\"name\":\"pay\",\"kind\":\"tcp\",\"address\":\"10.0.0.1:443\"},"
    "{\"name\":\"db\",\"kind\":\"tcp\",\"address\":\"10.0.0.3:5432\"}]}";
static const char reordered[] =
    "{\"upstreams\":[{\"name\":\"new\",\"kind\":\"tcp\",\"address\":\"10.0.0.9:443\"},"
    "{\"name\":\"db\",\"kind\":\"tcp\",\"address\":\"10.0.0.3:5432\"},"
    "{\"name\":\"pay\",\"kind\":\"tcp\",\"address\":\"10.0.0.1:443\"}]}";

static struct breaker_row rows[UPSTREAMS_MAX];

static double no_jitter(void *ctx)
{
    return 0;
}

static struct services *create(const struct config *config, uint64_t now_ns)
{
    const struct services_ops ops = {.random = no_jitter};
    const struct services_rows memory = {rows, NULL};
    struct services *s = NULL;

    assert_int_equal(services_create(&s, config, &memory, &ops, now_ns), 0);
    return s;
}

static struct upstream_view view_of(const struct services *s, const char *name)
{
    struct upstream_view view;

    services_upstream(s, services_find_upstream(s, name), 1000 * S, &view);
    return view;
}

static int clear_rows(void **state)
{
    memset(rows, 0, sizeof(rows));
    return 0;
}

static void rows_are_found_by_name(void **state)
{
    struct config *before = load_valid(two, NULL), *after = load_valid(reordered, NULL);
    struct services *s = create(before, S);

    services_open(s, "db", 2 * S);
    rows[services_row(s, services_find_upstream(s, "db"))].refused_total = 7;
    rows[services_row(s, services_find_upstream(s, "pay"))].refused_total = 3;
    services_destroy(s);
    s = create(after, 3 * S);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_FORCED_OPEN);
    assert_int_equal(view_of(s, "db").breaker.refused_total, 7);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_CLOSED);
    assert_int_equal(view_of(s, "pay").breaker.refused_total, 3);
    assert_int_equal(view_of(s, "new").breaker.state, BREAKER_CLOSED);
    assert_int_equal(view_of(s, "new").breaker.refused_total, 0);
    services_destroy(s);
    config_destroy(before);
    config_destroy(after);
}

static void a_row_of_somebody_who_is_gone_is_cleared(void **state)
{
    struct config *before = load_valid(two, NULL), *after;
    struct services *s = create(before, S);
    size_t row;

    services_open(s, "pay", 2 * S);
    row = services_row(s, services_find_upstream(s, "pay"));
    rows[row].would_refuse_total = 9;
    services_destroy(s);
    after = load_valid(
        "{\"upstreams\":[{\"name\":\"other\",\"kind\":\"tcp\",\"address\":\"10.0.0.1:443\"}]}",
        NULL);
    s = create(after, 3 * S);
    assert_int_equal(BREAKER_STATE_OF(rows[row].word), BREAKER_CLOSED);
    assert_int_equal(view_of(s, "other").breaker.state, BREAKER_CLOSED);
    assert_int_equal(view_of(s, "other").breaker.would_refuse_total, 0);
    services_destroy(s);
    config_destroy(before);
    config_destroy(after);
}

/* Enough calls of 10 ms each that a minute of them is known to be usual. */
static void learn(struct services *s)
{
    struct traffic total = {0};

    for (uint64_t second = 1; second <= 1200; second++) {
        total.calls++;
        total.latency.count++;
        total.latency.sum_ns += 10 * NS_PER_MS;
        total.latency.slots[fine_slot_of_ns(10 * NS_PER_MS)]++;
        services_feed_upstream(s, services_find_upstream(s, "db"), second * S, &total, 0);
        services_feed_service(s, 0, second * S, &total);
    }
}

static char *remember(const struct services *s, uint64_t now_ns)
{
    cJSON *json = services_remember(s, now_ns, REALTIME);
    char *text = cJSON_PrintUnformatted(json);

    cJSON_Delete(json);
    return text;
}

static int recall_part(struct services *s, const char *text, size_t len, uint64_t realtime_ns,
                       char error[128])
{
    cJSON *json = cJSON_ParseWithLength(text, len);
    int r;

    *error = '\0';
    r = services_recall(s, json, 5 * S, realtime_ns, error, 128);
    cJSON_Delete(json);
    return r;
}

static int recall(struct services *s, const char *text, uint64_t realtime_ns, char error[128])
{
    return recall_part(s, text, strlen(text), realtime_ns, error);
}

static void what_was_usual_is_known_again(void **state)
{
    struct config *before = load_valid(two, NULL), *after = load_valid(reordered, NULL);
    struct services *s = create(before, S);
    struct performance_usual usual;
    char *text, error[128];

    learn(s);
    usual = view_of(s, "db").performance.usual;
    assert_null(usual.missing);
    text = remember(s, 1200 * S);
    services_destroy(s);
    clear_rows(state);
    s = create(after, 4 * S);
    assert_non_null(view_of(s, "db").performance.usual.missing);
    assert_int_equal(recall(s, text, REALTIME, error), 0);
    assert_float_equal(view_of(s, "db").performance.usual.calls, usual.calls, 1e-9);
    assert_float_equal(view_of(s, "db").performance.usual.mean_seconds.value, 0.010, 1e-9);
    assert_non_null(view_of(s, "pay").performance.usual.missing);
    assert_non_null(view_of(s, "new").performance.usual.missing);
    /* A day of silence halves what it weighs. */
    assert_int_equal(recall(s, text, REALTIME + BASELINE_HALF_LIFE_NS, error), 0);
    assert_float_equal(view_of(s, "db").performance.usual.calls, usual.calls / 2, 1e-3);
    assert_int_equal(recall(s, text, REALTIME - 60 * S, error), 0);
    assert_float_equal(view_of(s, "db").performance.usual.calls, usual.calls, 1e-9);
    services_destroy(s);
    free(text);
    config_destroy(before);
    config_destroy(after);
}

static void an_open_breaker_is_open_again(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s = create(config, S);
    size_t row = services_row(s, services_find_upstream(s, "db"));
    char *text, error[128];

    assert_true(row_move(&rows[row], rows[row].word, BREAKER_OPEN));
    services_tick(s, 2 * S);
    services_open(s, "pay", 2 * S);
    text = remember(s, 2 * S);
    services_destroy(s);
    clear_rows(state);
    s = create(config, 4 * S);
    assert_int_equal(recall(s, text, REALTIME, error), 0);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_OPEN);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_FORCED_OPEN);
    services_tick(s, 65 * S);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_HALF_OPEN);
    services_destroy(s);
    free(text);
    config_destroy(config);
}

/* The kernel's row was closed after the file was written: the row is right. */
static void a_row_that_moved_on_knows_better(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s = create(config, S);
    char *text, error[128];

    services_open(s, "pay", 2 * S);
    text = remember(s, 2 * S);
    services_close(s, "pay", 3 * S);
    services_destroy(s);
    s = create(config, 4 * S);
    assert_int_equal(recall(s, text, REALTIME, error), 0);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_CLOSED);
    services_destroy(s);
    free(text);
    config_destroy(config);
}

/* Cut anywhere, and with every value in turn replaced by one that cannot be. */
static void what_is_damaged_changes_nothing(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s = create(config, S);
    char *text, *cut, error[128];
    size_t len;

    learn(s);
    services_open(s, "pay", 1200 * S);
    text = remember(s, 1200 * S);
    len = strlen(text);
    services_destroy(s);
    clear_rows(state);
    s = create(config, 4 * S);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(recall_part(s, text, i, REALTIME, error), -22);
        assert_true(*error);
    }
    for (char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
        size_t head = (size_t)(colon + 1 - text);

        if (asprintf(&cut, "%.*s-1e999%s", (int)head, text, colon + 1 + strcspn(colon + 1, ",}]")) <
            0)
            fail();
        assert_int_equal(recall(s, cut, REALTIME, error), -22);
        free(cut);
    }
    assert_int_equal(recall(s, "[]", REALTIME, error), -22);
    assert_int_equal(recall(s, "{\"format\":2}", REALTIME, error), -22);
    assert_non_null(strstr(error, "format"));
    assert_non_null(view_of(s, "db").performance.usual.missing);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_CLOSED);
    services_destroy(s);
    free(text);
    config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_are_found_by_name, clear_rows),
        cmocka_unit_test_setup(a_row_of_somebody_who_is_gone_is_cleared, clear_rows),
        cmocka_unit_test_setup(what_was_usual_is_known_again, clear_rows),
        cmocka_unit_test_setup(an_open_breaker_is_open_again, clear_rows),
        cmocka_unit_test_setup(a_row_that_moved_on_knows_better, clear_rows),
        cmocka_unit_test_setup(what_is_damaged_changes_nothing, clear_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
