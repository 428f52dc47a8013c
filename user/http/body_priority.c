/* GET /health/priority: do the kernel's priority classes get the CPU when they want it? */
#include "http/body.h"
#include "http/tables.h"
#include "model/histogram.h"

/* A wait is called starvation from here up: a slot's lower bound, so that the count is exact. A
 * second is an order beyond what the kernel means any runnable task of nice 0 to wait. */
#define STARVED_SLOT 21
#define STARVED_NS (1ULL << (STARVED_SLOT + SLOT_SHIFT - 1))

struct class_view {
    const char *name;
    const struct runq_stats *stats;
    const struct latency *recent_delay;
    const char *missing;
    uint64_t starved_recent, starved_total;
    struct reading wait_percent;
};

struct priority_view {
    struct component_view component;
    uint64_t realtime_ns;
    uint64_t starved_ns;
    size_t class_count;
    struct class_view classes[PRIORITY_CLASS_COUNT];
    size_t none;
    const void *nothing;
    const char *queues_missing;
};

static const char *const class_names[] = {"realtime", "high", "normal", "low", "idle", NULL};

static const char *class_name(const void *object, const void *ctx, char buffer[FIELD_TEXT_BYTES])
{
    (void)ctx;
    (void)buffer;
    return ((const struct class_view *)object)->name;
}

#define TYPE struct latency
static const struct field recent_fields[] = {
    {.key = "recent", .kind = FIELD_LATENCY, .about = "delay of the last minute"},
};
#undef TYPE

static const struct field_table recent_table = FIELD_TABLE("RecentDelay", recent_fields, NULL);

#define TYPE struct runq_stats
static const struct field class_stats_fields[] = {
    ROW("total", FIELD_LATENCY, delay, .about = "delay since the agent started"),
    ROW("on_cpu_seconds_total", FIELD_DURATION, on_cpu_ns, .decimals = 3),
    ROW("switches_voluntary_total", FIELD_U64, switches_voluntary, .about = "it slept or ended"),
    ROW("switches_involuntary_total", FIELD_U64, switches_involuntary,
        .about = "it was preempted or yielded"),
};
#undef TYPE

static const struct field_table class_stats_table =
    FIELD_TABLE("ClassStats", class_stats_fields, NULL);

#define TYPE struct class_view
#define UNLESS_MISSING .missing_at = MISSING_AT(TYPE, missing)
static const struct field class_fields[] = {
    COMPUTED("class", class_name, .choices = class_names,
             .about = "realtime: SCHED_FIFO, RR, DEADLINE; high: nice < 0; normal; low: nice > 0; "
                      "idle: SCHED_IDLE"),
    {.kind = FIELD_MERGE,
     .offset = offsetof(TYPE, recent_delay),
     .table = &recent_table,
     UNLESS_MISSING},
    {.kind = FIELD_MERGE,
     .offset = offsetof(TYPE, stats),
     .table = &class_stats_table,
     UNLESS_MISSING},
    PERCENT("wait_percent", wait_percent, UNLESS_MISSING,
            .about = "share of waiting in waiting and running, since the agent started"),
    ROW("starved_recent", FIELD_U64, starved_recent, UNLESS_MISSING,
        .about = "waits over starved_threshold_seconds in the last minute"),
    ROW("starved_total", FIELD_U64, starved_total, UNLESS_MISSING,
        .about = "likewise since the agent started"),
};
#undef TYPE

static const struct field_table class_table =
    FIELD_TABLE("PriorityClass", class_fields, "Run-queue delay of one priority class.");

#define TYPE struct priority_view
static const struct field priority_fields[] = {
    ROW("status", FIELD_STATUS, component.status),
    ROW("reasons", FIELD_REASONS, component.reasons),
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    ROW("starved_threshold_seconds", FIELD_DURATION, starved_ns, .decimals = 3),
    ROW("classes", FIELD_ROWS, classes, .table = &class_table, .stride = sizeof(struct class_view),
        .count_offset = offsetof(TYPE, class_count)),
    LIST("queues", nothing, none, &queue_table, char,
         .missing_at = MISSING_AT(TYPE, queues_missing), .about = "application queues by priority"),
};
#undef TYPE

const struct field_table priority_table =
    FIELD_TABLE("Priority", priority_fields, "Fairness between the kernel's priority classes.");

static uint64_t starved(const struct latency *l)
{
    uint64_t count = 0;

    for (int slot = STARVED_SLOT; slot < SLOT_COUNT; slot++)
        count += l->slots[slot];
    return count;
}

int body_priority(const struct body_env *env, struct body *ret)
{
    const struct scheduler_snapshot *s = &env->snapshot->scheduler;
    struct priority_view view = {
        .realtime_ns = env->snapshot->realtime_ns,
        .starved_ns = STARVED_NS,
        .class_count = PRIORITY_CLASS_COUNT,
        .queues_missing = "this version does not watch application queues",
    };

    for (int c = 0; c < PRIORITY_CLASS_COUNT; c++) {
        const struct runq_stats *stats = &s->classes[c];
        double waited = (double)stats->delay.sum_ns, ran = (double)stats->on_cpu_ns;

        view.classes[c] = (struct class_view){
            .name = priority_class_name(c),
            .stats = stats,
            .recent_delay = &s->recent_classes[c],
            .missing = s->missing,
            .starved_recent = starved(&s->recent_classes[c]),
            .starved_total = starved(&stats->delay),
            .wait_percent = waited + ran > 0 ? reading_of(100 * waited / (waited + ran))
                                             : reading_missing("no task of this class ran"),
        };
    }
    health_component(env->sources->health, COMPONENT_PRIORITY, &view.component);
    return body_render(ret, 200, &priority_table, &view, env->snapshot);
}
