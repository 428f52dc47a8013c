/* GET /health/priority: do the kernel's priority classes get the CPU when they want it? */
#include "facts/class_rows.h"
#include "facts/tables.h"
#include "http/routes.h"
#include "model/histogram.h"

struct priority_view {
    struct component_view component;
    uint64_t realtime_ns;
    uint64_t starved_ns;
    size_t class_count;
    struct class_row classes[PRIORITY_CLASS_COUNT];
    size_t none;
    const void *nothing;
    const char *queues_missing;
};

#define TYPE struct priority_view
static const struct field priority_fields[] = {
    ROW("status", FIELD_STATUS, component.status),
    ROW("reasons", FIELD_REASONS, component.reasons),
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    ROW("starved_threshold_seconds", FIELD_DURATION, starved_ns, .decimals = 3),
    ROW("classes", FIELD_ROWS, classes, .table = &class_table, .stride = sizeof(struct class_row),
        .count_offset = offsetof(TYPE, class_count)),
    LIST("queues", nothing, none, &queue_table, char,
         .missing_at = MISSING_AT(TYPE, queues_missing), .about = "application queues by priority"),
};
#undef TYPE

static const struct field_table priority_table =
    FIELD_TABLE("Priority", priority_fields, "Fairness between the kernel's priority classes.");

static int body_priority(const struct body_env *env, struct body *ret)
{
    const struct scheduler_snapshot *s = &env->facts->snapshot->scheduler;
    struct priority_view view = {
        .realtime_ns = env->facts->snapshot->realtime_ns,
        .starved_ns = CLASS_STARVED_NS,
        .class_count = PRIORITY_CLASS_COUNT,
        .queues_missing = "this version does not watch application queues",
    };

    class_rows_take(view.classes, s);
    health_component(env->facts->health, COMPONENT_PRIORITY, &view.component);
    return body_render(ret, 200, &priority_table, &view, env->facts->snapshot);
}

const struct route route_priority = {
    .method = "GET",
    .path = "/health/priority",
    .role = ROLE_VIEWER,
    .body = body_priority,
    .needs_sample = true,
    .type = ROUTE_JSON,
    .table = &priority_table,
    .id = "healthPriority",
    .summary = "Run-queue delay and starvation per priority class",
    .answer = "The figures of the last minute and since the agent started",
};
