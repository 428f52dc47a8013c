/* What is over is remembered, bounded and across a restart; and what a saved state would lose shows
 * in the revision. */
#include "alert_fixture.h"

#define KEPT 512 /* HISTORY_MAX */

static const char config_text[] =
    "{\"alert_manager\":{" AT_ONCE "\"cooldown_period\":0,\"flapping_window\":1,"
    "\"rules\":[" NO_BUILT_IN
    ",{\"name\":\"A\",\"metric\":\"a\",\"above\":5,\"for\":0,\"severity\":\"error\","
    "\"summary\":\"{{ $labels.subject }} is {{ $value }}\"},"
    "{\"name\":\"P\",\"metric\":\"p\",\"above\":5,\"for\":60},"
    "{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\",\"keep_firing_for\":5}]}}";

static void tick_next(struct world *w)
{
    run_until(w, w->now + 1);
}

static struct alert_view past(const struct world *w, size_t index)
{
    struct alert_view view;

    assert_in_range(index, 0, alert_manager_history_count(w->manager) - 1);
    alert_manager_history_at(w->manager, index, &view);
    return view;
}

static void over_is_remembered_as_it_was(void **state)
{
    struct alert_view firing, view;
    struct world w;

    world_open(&w, config_text);
    set_metric(&w, "a", "x", 7);
    tick_next(&w);
    assert_true(find_view(&w, "A", "x", &firing));
    assert_int_equal(alert_manager_history_count(w.manager), 0);
    assert_int_equal(alert_manager_ack(w.manager, firing.id, "otto", "on it", 0), 0);
    tick_next(&w);
    set_metric(&w, "a", "x", 1);
    tick_next(&w);
    assert_int_equal(alert_manager_history_count(w.manager), 1);
    view = past(&w, 0);
    assert_string_equal(view.id, firing.id);
    assert_int_equal(view.state, ALERT_RESOLVED);
    assert_int_equal(view.severity, SEVERITY_ERROR);
    assert_string_equal(labels_get(view.labels, "subject"), "x");
    assert_string_equal(view.summary, "x is 7");
    assert_string_equal(view.offenders, "behind A");
    assert_string_equal(view.acked_by, "otto");
    assert_string_equal(view.ack_comment, "on it");
    assert_int_equal(view.ends_realtime_ns - view.starts_realtime_ns, 2 * NS_PER_SECOND);
    /* A new episode does not change what was. */
    set_metric(&w, "a", "x", 9);
    tick_next(&w);
    assert_string_equal(past(&w, 0).summary, "x is 7");
    world_close(&w);
}

static void the_newest_are_kept_the_latest_first(void **state)
{
    struct world w;

    world_open(&w, config_text);
    for (unsigned i = 0; i < KEPT + 10; i++) {
        set_metric(&w, "a", "x", 10 + i);
        tick_next(&w);
        set_metric(&w, "a", "x", 1);
        tick_next(&w);
    }
    assert_int_equal(alert_manager_history_count(w.manager), KEPT);
    assert_string_equal(past(&w, 0).summary, "x is 531");
    assert_string_equal(past(&w, 1).summary, "x is 530");
    assert_string_equal(past(&w, KEPT - 1).summary, "x is 20");
    world_close(&w);
}

static void a_restart_keeps_it(void **state)
{
    struct world w, after;
    cJSON *json;

    world_open(&w, config_text);
    for (unsigned i = 0; i < KEPT + 3; i++) {
        set_metric(&w, "a", i % 2 ? "x" : "y", 10 + i);
        tick_next(&w);
        set_metric(&w, "a", i % 2 ? "x" : "y", 1);
        tick_next(&w);
    }
    json = alert_manager_export(w.manager, "boot");
    world_open(&after, config_text);
    assert_int_equal(alert_manager_import(after.manager, json, "boot", w.now * NS_PER_SECOND,
                                          (WORLD_EPOCH + w.now) * NS_PER_SECOND),
                     0);
    assert_int_equal(alert_manager_history_count(after.manager), KEPT);
    for (size_t i = 0; i < KEPT; i++) {
        struct alert_view was = past(&w, i), is = past(&after, i);

        assert_true(labels_equal(was.labels, is.labels));
        assert_string_equal(was.id, is.id);
        assert_string_equal(was.summary, is.summary);
        assert_string_equal(was.changed, is.changed);
        assert_float_equal(was.value, is.value, 0);
        assert_int_equal(was.severity, is.severity);
        assert_int_equal(was.starts_realtime_ns, is.starts_realtime_ns);
        assert_int_equal(was.ends_realtime_ns, is.ends_realtime_ns);
        assert_null(is.acked_by);
    }
    cJSON_Delete(json);
    world_close(&after);
    world_close(&w);
}

static void a_damaged_history_is_left_out(void **state)
{
    static const char *const documents[] = {
        "{\"version\":1,\"history\":7}",
        "{\"version\":1,\"history\":[1,\"x\",null,{},{\"labels\":{\"a\":1}},[[]]]}",
        ("{\"version\":1,\"history\":[{\"labels\":{\"alertname\":\"A\"},\"severity\":99,"
         "\"step\":-1,\"value\":\"x\",\"summary\":3,\"starts\":\"x\",\"acked_by\":{}}]}"),
    };

    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct world w;
        cJSON *json = cJSON_Parse(documents[i]);

        world_open(&w, config_text);
        assert_non_null(json);
        assert_int_equal(alert_manager_import(w.manager, json, NULL, NS_PER_SECOND, NS_PER_SECOND),
                         0);
        for (size_t n = 0; n < alert_manager_history_count(w.manager); n++)
            assert_in_range(past(&w, n).severity, 0, SEVERITY_COUNT - 1);
        cJSON_Delete(json);
        world_close(&w);
    }
}

/* Whether the revision has grown since the last call. */
static bool moved(const struct world *w, uint64_t *before)
{
    uint64_t now = alert_manager_revision(w->manager);
    bool grown = now != *before;

    assert_true(now >= *before);
    *before = now;
    return grown;
}

static void what_changes_shows_in_the_revision(void **state)
{
    char id[24], error[160];
    struct alert_view view;
    uint64_t revision = 0;
    struct world w;

    world_open(&w, config_text);
    set_metric(&w, "a", "x", 1);
    set_metric(&w, "p", "x", 1);
    tick_next(&w);
    moved(&w, &revision);
    tick_next(&w);
    assert_false(moved(&w, &revision));
    set_metric(&w, "p", "x", 9);
    tick_next(&w);
    assert_true(moved(&w, &revision)); /* pending: its clock is to be kept */
    tick_next(&w);
    assert_false(moved(&w, &revision));
    set_metric(&w, "a", "x", 9);
    tick_next(&w);
    assert_true(moved(&w, &revision));
    /* That it still fires is nothing new. */
    for (int i = 0; i < 20; i++)
        tick_next(&w);
    assert_false(moved(&w, &revision));
    assert_true(find_view(&w, "A", "x", &view));
    assert_int_equal(alert_manager_ack(w.manager, view.id, "otto", NULL, 3), 0);
    assert_true(moved(&w, &revision));
    for (int i = 0; i < 4; i++)
        tick_next(&w);
    assert_true(moved(&w, &revision)); /* it ran out */
    assert_int_equal(alert_manager_silence(w.manager, "subject=y", 0,
                                           (WORLD_EPOCH + w.now + 3) * NS_PER_SECOND, NULL, NULL,
                                           id, error),
                     0);
    assert_true(moved(&w, &revision));
    for (int i = 0; i < 4; i++)
        tick_next(&w);
    assert_true(moved(&w, &revision)); /* so did this */
    assert_int_equal(alert_manager_silence(w.manager, "subject=y", 0,
                                           (WORLD_EPOCH + w.now + 900) * NS_PER_SECOND, NULL, NULL,
                                           id, error),
                     0);
    moved(&w, &revision);
    assert_int_equal(alert_manager_unsilence(w.manager, id), 0);
    assert_true(moved(&w, &revision));
    add_event(&w, "stall", "x", "stood still");
    tick_next(&w);
    assert_true(moved(&w, &revision));
    add_event(&w, "stall", "x", "stood still");
    tick_next(&w);
    assert_true(moved(&w, &revision)); /* it is to fire for longer */
    alert_manager_note_change(w.manager, "something was deployed");
    assert_true(moved(&w, &revision));
    set_metric(&w, "a", "x", 1);
    tick_next(&w);
    assert_true(moved(&w, &revision));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_is_remembered_as_it_was),
        cmocka_unit_test(the_newest_are_kept_the_latest_first),
        cmocka_unit_test(a_restart_keeps_it),
        cmocka_unit_test(a_damaged_history_is_left_out),
        cmocka_unit_test(what_changes_shows_in_the_revision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
