/* What stands in labels and bodies: every value of an enum has a name, and no two the same. */
#include "alert/matcher_parse.h"
#include "alert/notification.h"
#include "alert/rule.h"
#include "breaker/breaker.h"
#include "config/choices.h"
#include "endpoint/endpoint_checks.h"
#include "health/health.h"
#include "model/snapshot.h"
#include "notify/notify.h"
#include "service/fallback.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ENUM(name, type, count)                                                                    \
    static const char *of_##name(int value)                                                        \
    {                                                                                              \
        return name((type)value);                                                                  \
    }                                                                                              \
    enum { count_of_##name = (count) };

ENUM(record_type_name, enum record_type, RECORD_TYPE_COUNT)
ENUM(map_drop_name, enum map_drop, MAP_DROP_COUNT)
ENUM(rule_event_text, enum rule_event, RULE_EVENT_COUNT)
ENUM(rule_kind_text, enum rule_kind, RULE_KIND_COUNT)
ENUM(severity_text, enum severity, SEVERITY_COUNT)
ENUM(alert_state_text, enum alert_state, ALERT_STATE_COUNT)
ENUM(notice_kind_text, enum notice_kind, NOTICE_KIND_COUNT)
ENUM(component_name, enum component, COMPONENT_COUNT)
ENUM(status_name, enum status, STATUS_COUNT)
ENUM(cpu_mode_name, enum cpu_mode, CPU_MODE_COUNT)
ENUM(top_order_name, enum top_order, TOP_ORDER_COUNT)
ENUM(pressure_resource_name, enum pressure_resource, PRESSURE_RESOURCE_COUNT)
ENUM(priority_class_name, enum priority_class, PRIORITY_CLASS_COUNT)
ENUM(connect_failure_name, enum connect_failure, CONNECT_FAILURE_COUNT)
ENUM(probe_concern_name, enum probe_concern, CONCERN_COUNT)
ENUM(program_state_name, enum program_state, PROGRAM_STATE_COUNT)
ENUM(matcher_operator_text, enum matcher_operator, MATCHER_OPERATOR_COUNT)
ENUM(breaker_state_name, enum breaker_state, BREAKER_STATE_COUNT)
ENUM(breaker_cause_name, enum breaker_cause, BREAKER_CAUSE_COUNT)

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, of_##name, count_of_##name                                                          \
    }

static const struct {
    const char *table;
    const char *(*name)(int value);
    int count;
} enums[] = {
    ROW(record_type_name),    ROW(map_drop_name),         ROW(rule_event_text),
    ROW(rule_kind_text),      ROW(severity_text),         ROW(alert_state_text),
    ROW(notice_kind_text),    ROW(component_name),        ROW(status_name),
    ROW(cpu_mode_name),       ROW(top_order_name),        ROW(pressure_resource_name),
    ROW(priority_class_name), ROW(connect_failure_name),  ROW(probe_concern_name),
    ROW(program_state_name),  ROW(matcher_operator_text), ROW(breaker_state_name),
    ROW(breaker_cause_name),
};

/* The tables from which bodies, schemas and the configuration take what there is to choose from. */
static const struct {
    const char *table;
    const char *const *names;
    int count;
} lists[] = {
#define LIST(names, count)                                                                         \
    {                                                                                              \
#names, names, count                                                                       \
    }
    LIST(severity_names, SEVERITY_COUNT),
    LIST(rule_kind_names, RULE_KIND_COUNT),
    LIST(rule_event_names, RULE_EVENT_COUNT),
    LIST(channel_type_names, CHANNEL_TYPE_COUNT),
    LIST(smtp_tls_names, SMTP_TLS_COUNT),
    LIST(service_kind_names, SERVICE_KIND_COUNT),
    LIST(service_priority_names, SERVICE_PRIORITY_COUNT),
    LIST(check_type_names, CHECK_TYPE_COUNT),
    LIST(healing_mode_names, HEALING_MODE_COUNT),
    LIST(healing_action_names, HEALING_ACTION_COUNT),
    LIST(upstream_kind_names, UPSTREAM_KIND_COUNT),
    LIST(breaker_mode_names, BREAKER_MODE_COUNT),
    LIST(breaker_window_names, BREAKER_WINDOW_COUNT),
    LIST(breaker_on_open_names, BREAKER_ON_OPEN_COUNT),
    LIST(fallback_strategy_names, FALLBACK_STRATEGY_COUNT),
    LIST(retry_jitter_names, RETRY_JITTER_COUNT),
    LIST(breaker_state_names, BREAKER_STATE_COUNT),
    LIST(breaker_cause_names, BREAKER_CAUSE_COUNT),
    LIST(fallback_offer_names, FALLBACK_OFFER_COUNT),
    LIST(endpoint_owner_names, ENDPOINT_OWNER_COUNT),
    LIST(endpoint_status_names, ENDPOINT_STATUS_COUNT),
    LIST(connect_failure_names, CONNECT_FAILURE_COUNT),
    LIST(reclaim_kind_names, RECLAIM_KIND_COUNT),
    LIST(exit_kind_names, ENDED_KIND_COUNT),
    LIST(priority_class_names, PRIORITY_CLASS_COUNT),
    LIST(tcp_role_names, TCP_ROLE_COUNT),
    LIST(alert_state_names, ALERT_STATE_COUNT),
    LIST(notify_state_names, NOTIFY_STATE_COUNT),
    LIST(suppression_names + 1, SUPPRESSION_COUNT - 1),
};

static void check(const char *table, int value, const char *name, const char *other,
                  int other_value)
{
    if (!name || !*name)
        fail_msg("%s: value %d has no name", table, value);
    if (other && strcmp(name, other) == 0)
        fail_msg("%s: %d and %d are both %s", table, other_value, value, name);
}

static void every_value_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t e = 0; e < sizeof(enums) / sizeof(enums[0]); e++)
        for (int v = 0; v < enums[e].count; v++) {
            check(enums[e].table, v, enums[e].name(v), NULL, 0);
            for (int other = 0; other < v; other++)
                check(enums[e].table, v, enums[e].name(v), enums[e].name(other), other);
        }
}

static void every_choice_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        for (int v = 0; v < lists[l].count; v++) {
            check(lists[l].table, v, lists[l].names[v], NULL, 0);
            for (int other = 0; other < v; other++)
                check(lists[l].table, v, lists[l].names[v], lists[l].names[other], other);
        }
        if (lists[l].names[lists[l].count])
            fail_msg("%s does not end", lists[l].table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_a_name_of_its_own),
        cmocka_unit_test(every_choice_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
