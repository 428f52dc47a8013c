/* The saved state: what did not change is the same text, and that of an older version is read. */
#include "alert_fixture.h"

#define EPOCH_NS (WORLD_EPOCH * NS_PER_SECOND)

static const char config_text[] = "{\"alert_manager\":{" AT_ONCE "\"rules\":[" NO_BUILT_IN
                                  ",{\"name\":\"E\",\"kind\":\"event\",\"event\":\"stall\","
                                  "\"keep_firing_for\":200},"
                                  "{\"name\":\"A\",\"metric\":\"a\",\"above\":5,\"for\":50}]}}";

static cJSON *export_of(const struct world *w)
{
    cJSON *json = alert_manager_export(w->manager, "boot");

    assert_non_null(json);
    return json;
}

static void take_over(struct world *w, const cJSON *state)
{
    const struct alert_ops ops = {.notify = world_log, .ctx = w};
    struct config_errors errors = {0};

    alert_manager_destroy(w->manager);
    assert_int_equal(alert_manager_create(&w->manager, w->config, &ops, &errors), 0);
    assert_int_equal(alert_manager_import(w->manager, state, "boot", w->now * NS_PER_SECOND,
                                          EPOCH_NS + w->now * NS_PER_SECOND),
                     0);
}

static void begin(struct world *w)
{
    world_open(w, config_text);
    set_metric(w, "a", "high", 9);
    run_until(w, 1005);
    add_event(w, "stall", "old", "stalled");
    run_until(w, 1010);
    add_event(w, "stall", "new", "stalled");
    run_until(w, 1012);
}

static void what_goes_on_is_the_same_text(void **state)
{
    static const char *const lists[] = {"alerts", "groups", "budget", "paces", "history"};
    cJSON *before, *after;
    struct world w;

    (void)state;
    begin(&w);
    before = export_of(&w);
    run_until(&w, 1020);
    after = export_of(&w);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        assert_true(cJSON_Compare(cJSON_GetObjectItem(before, lists[i]),
                                  cJSON_GetObjectItem(after, lists[i]), true));
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(after, "alerts")) >= 3);
    cJSON_Delete(before);
    cJSON_Delete(after);
    world_close(&w);
}

static double seconds_ns(const cJSON *json, const char *name)
{
    const cJSON *value = cJSON_GetObjectItem(json, name);

    return value ? strtod(value->valuestring, NULL) : 0;
}

static void make_older(cJSON *item, double by_ns)
{
    if (cJSON_IsNumber(item))
        cJSON_SetNumberHelper(item, item->valuedouble + by_ns);
    else if (cJSON_IsArray(item))
        for (cJSON *each = item->child; each; each = each->next)
            make_older(each, by_ns);
}

static cJSON *reversed(cJSON *list)
{
    cJSON *result = cJSON_CreateArray();

    while (cJSON_GetArraySize(list) > 0)
        cJSON_InsertItemInArray(result, 0, cJSON_DetachItemFromArray(list, 0));
    return result;
}

/* As the version before wrote it: ages at the export, newest first, and nothing has a name. */
static cJSON *version_1(cJSON *json)
{
    static const char *const times[] = {"active_since", "last_active", "last_seen", "fired_at",
                                        "resolved_at",  "told_at",     "events",    "changes",
                                        "escalated_at", "eased_at",    "flushed_at"};
    static const char *const lists[] = {"alerts", "groups"};
    double by_ns = seconds_ns(json, "monotonic_ns") - seconds_ns(json, "base_ns");

    cJSON_SetNumberHelper(cJSON_GetObjectItem(json, "version"), 1);
    cJSON_DeleteItemFromObject(json, "base_ns");
    cJSON_DeleteItemFromObject(json, "budget");
    cJSON_DeleteItemFromObject(json, "paces");
    for (size_t l = 0; l < 2; l++) {
        cJSON *list = cJSON_GetObjectItem(json, lists[l]);

        for (cJSON *each = list->child; each; each = each->next) {
            cJSON_DeleteItemFromObject(each, "id");
            for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
                cJSON *time = cJSON_GetObjectItem(each, times[t]);

                if (cJSON_IsString(time))
                    cJSON_ReplaceItemInObject(each, times[t], cJSON_CreateNumber(0));
                else if (time)
                    make_older(time, by_ns);
            }
        }
        cJSON_ReplaceItemInObject(json, lists[l], reversed(list));
    }
    return json;
}

static void list_name(void *ctx, const struct alert_view *view)
{
    struct text *names = ctx;

    text_add(names, labels_get(view->labels, "alertname"));
    text_add_char(names, ' ');
    text_add(names, view->id);
    text_add_char(names, '\n');
}

static void what_the_version_before_saved_is_read(void **state)
{
    char log[2][2048];

    (void)state;
    for (int older = 0; older < 2; older++) {
        struct text order[2];
        struct world w;
        cJSON *json;

        begin(&w);
        json = export_of(&w);
        if (older)
            json = version_1(json);
        text_init(&order[0], 1024);
        text_init(&order[1], 1024);
        alert_manager_each(w.manager, list_name, &order[0]);
        take_over(&w, json);
        alert_manager_each(w.manager, list_name, &order[1]);
        assert_string_equal(order[0].data, order[1].data);
        text_free(&order[0]);
        text_free(&order[1]);
        run_until(&w, 1400);
        snprintf(log[older], sizeof(log[0]), "%s", w.log.data);
        cJSON_Delete(json);
        world_close(&w);
    }
    assert_string_equal(log[0], log[1]);
    assert_non_null(strstr(log[1], " resolved ops -E/old"));
    assert_non_null(strstr(log[1], " firing ops +A/high"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_on_is_the_same_text),
        cmocka_unit_test(what_the_version_before_saved_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
