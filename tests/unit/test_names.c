/* What stands in labels and bodies: every value of an enum has a name, and no two the same. */
#include "alert/notification.h"
#include "alert/rule.h"
#include "breaker/breaker.h"
#include "health/health.h"
#include "model/snapshot.h"
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
    ROW(record_type_name),    ROW(map_drop_name),        ROW(rule_event_text),
    ROW(rule_kind_text),      ROW(severity_text),        ROW(alert_state_text),
    ROW(notice_kind_text),    ROW(component_name),       ROW(status_name),
    ROW(cpu_mode_name),       ROW(top_order_name),       ROW(pressure_resource_name),
    ROW(priority_class_name), ROW(connect_failure_name), ROW(probe_concern_name),
    ROW(breaker_state_name),  ROW(breaker_cause_name),
};

static void every_value_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t e = 0; e < sizeof(enums) / sizeof(enums[0]); e++)
        for (int v = 0; v < enums[e].count; v++) {
            const char *name = enums[e].name(v);

            if (!name || !*name)
                fail_msg("%s: value %d has no name", enums[e].table, v);
            for (int other = 0; other < v; other++)
                if (strcmp(name, enums[e].name(other)) == 0)
                    fail_msg("%s: %d and %d are both %s", enums[e].table, other, v, name);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_value_has_a_name_of_its_own)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
