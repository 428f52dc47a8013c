/* A reload that one part refuses leaves all the others as they were. */
#include "alert/alert.h"
#include "breaker/row.h"
#include "config/reload.h"
#include "notify_fixture.h"
#include "service/service.h"
#include "transfer/responder.h"
#include <errno.h>

static const char before_text[] =
    "{\"services\":[{\"name\":\"web\",\"kind\":\"http\",\"match\":{\"comm\":\"nginx\"}}],"
    "\"upstreams\":[{\"name\":\"pay\",\"address\":\"10.0.0.1:443\",\"fallback\":"
    "{\"strategy\":\"reduced\",\"response\":{\"body\":\"old\"}}}],"
    "\"alert_manager\":{\"rules\":[{\"name\":\"Old\",\"metric\":\"old_metric\",\"above\":1}],"
    "\"channels\":[{\"name\":\"old\",\"type\":\"log\"}]}}";
static const char after_text[] =
    "{\"services\":[{\"name\":\"db\",\"kind\":\"database\",\"match\":{\"comm\":\"mysqld\"}}],"
    "\"upstreams\":[{\"name\":\"cache\",\"address\":\"10.0.0.2:6379\"},"
    "{\"name\":\"pay\",\"address\":\"10.0.0.3:443\",\"breaker\":{\"mode\":\"forced_open\"},"
    "\"fallback\":{\"strategy\":\"reduced\",\"response\":{\"body\":\"new\"}}}],"
    "\"alert_manager\":{\"rules\":[{\"name\":\"New\",\"metric\":\"new_metric\",\"above\":1}],"
    "\"channels\":[{\"name\":\"new\",\"type\":\"log\"}]}}";

struct scene {
    struct office o;
    struct responder *responder;
    struct alert_manager *manager;
    struct services *services;
    struct config *next;
    struct breaker_row rows[UPSTREAMS_MAX];
    int moves, refusal;
};

static double no_jitter(void *ctx)
{
    return 0;
}

static void on_moved(void *ctx, const char *upstream, const struct breaker_transition *t)
{
    struct scene *s = ctx;

    s->moves++;
}

static void no_notification(void *ctx, const struct notification *notification)
{
}

static int stage_services(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    return services_stage(part, next, NS_PER_SECOND);
}

static void unstage_services(void *part)
{
    services_unstage(part);
}

static void commit_services(void *part)
{
    services_commit(part, NS_PER_SECOND);
}

static void tell_services(void *part)
{
    services_tell(part, NS_PER_SECOND);
}

static int stage_responder(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    return responder_stage(part, next);
}

static void unstage_responder(void *part)
{
    responder_unstage(part);
}

static void commit_responder(void *part)
{
    responder_commit(part);
}

static int stage_alerts(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    struct config_errors errors = {0};

    return alert_manager_stage(part, next, &errors);
}

static void unstage_alerts(void *part)
{
    alert_manager_unstage(part);
}

static void commit_alerts(void *part)
{
    alert_manager_commit(part);
}

static int stage_notify(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    return notify_stage(part, next);
}

static void unstage_notify(void *part)
{
    notify_unstage(part);
}

static void commit_notify(void *part)
{
    notify_commit(part);
}

static void tell_notify(void *part)
{
    notify_tell(part);
}

static int stage_last(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    return *(int *)part;
}

static void nothing(void *part)
{
}

static int reload(struct scene *s, char error[RELOAD_ERROR_BYTES])
{
    const struct config_part parts[] = {
        {"services", stage_services, unstage_services, commit_services, tell_services, s->services},
        {"fallbacks", stage_responder, unstage_responder, commit_responder, NULL, s->responder},
        {"alerts", stage_alerts, unstage_alerts, commit_alerts, NULL, s->manager},
        {"channels", stage_notify, unstage_notify, commit_notify, tell_notify, s->o.notify},
        {"the last", stage_last, nothing, nothing, NULL, &s->refusal},
    };
    size_t count = sizeof(parts) / sizeof(parts[0]);
    int r = config_parts_set(parts, count, s->next, error);

    if (r == 0)
        config_parts_tell(parts, count);
    return r;
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    const struct services_ops ops = {.random = no_jitter, .breaker_moved = on_moved, .ctx = s};
    const struct services_rows memory = {s->rows, NULL};
    const struct alert_ops alert_ops = {no_notification, NULL};
    struct config_errors errors = {0};

    office_begin(&s->o);
    s->o.config = load_valid(before_text, NULL);
    office_open_notify(&s->o);
    s->next = load_valid(after_text, NULL);
    assert_int_equal(services_create(&s->services, s->o.config, &memory, &ops, 1), 0);
    assert_int_equal(alert_manager_create(&s->manager, s->o.config, &alert_ops, &errors), 0);
    assert_int_equal(responder_create(&s->responder, s->o.loop, clock_system()), 0);
    assert_int_equal(responder_stage(s->responder, s->o.config), 0);
    responder_commit(s->responder);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    responder_destroy(s->responder);
    alert_manager_destroy(s->manager);
    services_destroy(s->services);
    office_end(&s->o);
    config_destroy(s->next);
    free(s);
    return 0;
}

static const char *channel_name(const struct scene *s)
{
    struct notify_channel_view view;

    assert_int_equal(notify_channel_count(s->o.notify), 1);
    notify_channel_view(s->o.notify, 0, &view);
    return view.name;
}

static void one_that_cannot_keeps_all_from_it(void **state)
{
    struct scene *s = *state;
    struct breaker_row kept[UPSTREAMS_MAX];
    struct responder_view before, after;
    char error[RELOAD_ERROR_BYTES];

    memcpy(kept, s->rows, sizeof(kept));
    assert_int_equal(responder_find(s->responder, "pay", &before), 0);
    s->refusal = -ENOMEM;
    assert_int_equal(reload(s, error), -ENOMEM);
    assert_string_equal(error, "the last: Cannot allocate memory");
    config_destroy(s->next);
    s->next = NULL;
    assert_memory_equal(s->rows, kept, sizeof(kept));
    assert_int_equal(s->moves, 0);
    assert_int_equal(services_upstream_count(s->services), 1);
    assert_true(alert_manager_wants(s->manager, "old_metric"));
    assert_false(alert_manager_wants(s->manager, "new_metric"));
    assert_string_equal(channel_name(s), "old");
    assert_int_equal(responder_find(s->responder, "pay", &after), 0);
    assert_int_equal(after.ipv4_port, before.ipv4_port);
    /* All go on with what they have. */
    services_tick(s->services, 2 * NS_PER_SECOND);
}

static void when_all_can_all_do(void **state)
{
    struct scene *s = *state;
    char error[RELOAD_ERROR_BYTES];

    s->refusal = -ENOMEM;
    assert_int_equal(reload(s, error), -ENOMEM);
    s->refusal = 0;
    assert_int_equal(reload(s, error), 0);
    config_destroy(s->o.config);
    s->o.config = s->next;
    s->next = NULL;
    assert_int_equal(services_upstream_count(s->services), 2);
    assert_int_equal(s->moves, 1);
    assert_false(alert_manager_wants(s->manager, "old_metric"));
    assert_true(alert_manager_wants(s->manager, "new_metric"));
    assert_string_equal(channel_name(s), "new");
    services_tick(s->services, 2 * NS_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_cannot_keeps_all_from_it, setup, teardown),
        cmocka_unit_test_setup_teardown(when_all_can_all_do, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
