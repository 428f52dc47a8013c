#include "facts/class_rows.h"
#include "facts/tables.h"
#include "model/histogram.h"

static const char *class_name(struct field_text *text)
{
    return ((const struct class_row *)text->object)->name;
}

#define TYPE struct latency
static const struct field recent_fields[] = {
    {.key = "recent", .kind = FIELD_LATENCY, .about = "delay of the last minute"},
};
#undef TYPE

static const struct field_table recent_table = FIELD_TABLE("RecentDelay", recent_fields, NULL);

#define TYPE struct runq_stats
#define SWITCHES(kind)                                                                             \
    .label = {"kind", (kind)},                                                                     \
    COUNTER(                                                                                       \
        "moonwatch_task_switches",                                                                 \
        "Times a task of the class left its CPU: to sleep or end (voluntary), or preempted or "    \
        "yielding (involuntary).",                                                                 \
        .labels = "class kind ")
static const struct field class_stats_fields[] = {
    ROW("total", FIELD_LATENCY, delay,
        HISTOGRAM("moonwatch_run_queue_delay_seconds",
                  "Runnable tasks waiting for a CPU, by priority class. For tails: the kernel's "
                  "run-queue clock reads exactly 0 for about 38 % of switches, so the shape below "
                  "8 us says nothing."),
        .about = "delay since the agent started"),
    ROW("on_cpu_seconds_total", FIELD_DURATION, on_cpu_ns,
        COUNTER("moonwatch_on_cpu_seconds", "Time tasks of the class had a CPU."), .decimals = 3),
    ROW("switches_voluntary_total", FIELD_U64, switches_voluntary, SWITCHES("voluntary"),
        .about = "it slept or ended"),
    ROW("switches_involuntary_total", FIELD_U64, switches_involuntary, SWITCHES("involuntary"),
        .about = "it was preempted or yielded"),
};
#undef TYPE

FIELD_METRICS(class_stats_fields, "class ", NEED_RUNQ);
static const struct field_table class_stats_table =
    FIELD_TABLE("ClassStats", class_stats_fields, NULL);

static void label_class(const void *row, struct row_labels *ret)
{
    const struct class_row *r = row;

    row_label(ret, "class", r->name);
}

#define TYPE struct class_row
#define UNLESS_MISSING .missing_at = MISSING_AT(TYPE, missing)
static const struct field class_fields[] = {
    COMPUTED("class", class_name, .choices = priority_class_names,
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

const struct field_table class_table = FIELD_TABLE(
    "PriorityClass", class_fields, "Run-queue delay of one priority class.", .label = label_class);

static uint64_t starved(const struct latency *l)
{
    uint64_t count = 0;

    for (int slot = CLASS_STARVED_SLOT; slot < SLOT_COUNT; slot++)
        count += l->slots[slot];
    return count;
}

void class_rows_take(struct class_row ret[PRIORITY_CLASS_COUNT],
                     const struct scheduler_snapshot *scheduler)
{
    for (int c = 0; c < PRIORITY_CLASS_COUNT; c++) {
        const struct runq_stats *stats = &scheduler->classes[c];
        double waited = (double)stats->delay.sum_ns, ran = (double)stats->on_cpu_ns;

        ret[c] = (struct class_row){
            .name = priority_class_name(c),
            .stats = stats,
            .recent_delay = &scheduler->recent_classes[c],
            .missing = scheduler->missing,
            .starved_recent = starved(&scheduler->recent_classes[c]),
            .starved_total = starved(&stats->delay),
            .wait_percent = waited + ran > 0 ? reading_of(100 * waited / (waited + ran))
                                             : reading_missing("no task of this class ran"),
        };
    }
}
