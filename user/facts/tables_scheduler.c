/* Run queues, uninterruptible sleep, reclaim, slow waits. */
#include "abi/reclaim.h"
#include "facts/tables.h"
#include "model/snapshot.h"

#define TYPE struct scheduler_snapshot
static const struct field delay_fields[] = {
    ROW("recent", FIELD_LATENCY, recent, .about = "last minute"),
    ROW("total", FIELD_LATENCY, total.delay, .about = "since the agent started"),
    ROW("method", FIELD_STRING, method, .unknown = "no probe measures it",
        .about = "rq-clock: the kernel's own timestamps, blind below its clock tick of some "
                 "microseconds; task-storage: a timestamp per wakeup",
        METRIC("moonwatch_run_queue_method", METRIC_INFO,
               "How the run-queue delay is measured on this kernel.", .labels = "method "),
        .label = {"method"}),
};
FIELD_METRICS(delay_fields, "", NEED_RUNQ);
static const struct field_table delay_table =
    FIELD_TABLE("RunQueueDelay", delay_fields, "From runnable to running.",
                .missing_at = MISSING_AT(TYPE, missing));

static const struct field blocked_time_fields[] = {
    ROW("recent", FIELD_LATENCY, recent_blocked, .about = "last minute"),
    ROW("total", FIELD_LATENCY, blocked,
        HISTOGRAM("moonwatch_blocked_seconds", "Uninterruptible sleeps, mostly for I/O."),
        .about = "since the agent started"),
};
FIELD_METRICS(blocked_time_fields, "", NEED_RUNQ);
static const struct field_table blocked_time_table =
    FIELD_TABLE("BlockedTime", blocked_time_fields, "Uninterruptible sleep.",
                .missing_at = MISSING_AT(TYPE, blocked_missing));

#define STALLS                                                                                     \
    HISTOGRAM("moonwatch_reclaim_stall_seconds",                                                   \
              "Tasks that had to free memory before they got some: the host ran low (direct) or "  \
              "their cgroup reached its limit (memcg).",                                           \
              .labels = "kind ")
static const struct field reclaim_fields[] = {
    ROW("direct", FIELD_LATENCY, reclaim[RECLAIM_DIRECT], .label = {"kind", "direct"}, STALLS,
        .about = "the host ran low"),
    ROW("memcg", FIELD_LATENCY, reclaim[RECLAIM_MEMCG], .label = {"kind", "memcg"}, STALLS,
        .about = "a cgroup was at its limit"),
};
FIELD_METRICS(reclaim_fields, "kind ", NEED_RECLAIM);
static const struct field_table reclaim_table =
    FIELD_TABLE("ReclaimStalls", reclaim_fields,
                "Tasks that stood still to reclaim memory, since the agent started.",
                .missing_at = MISSING_AT(TYPE, reclaim_missing));

static const struct field slow_waits_fields[] = {
    ROW("slow_waits_total", FIELD_DOUBLE, slow_waits_total,
        COUNTER("moonwatch_slow_waits",
                "Waits for a CPU longer than performance_tracker.slow_wait_ms."),
        .about = "since the agent started"),
    ROW("slow_waits", FIELD_ROWS, slow_waits, .table = &slow_wait_table,
        .stride = sizeof(struct slow_wait), .count_offset = offsetof(TYPE, slow_wait_count),
        .about = "newest first"),
};
FIELD_METRICS(slow_waits_fields, "", NEED_SLOW_WAITS);
const struct field_table slow_waits_table = FIELD_TABLE("SlowWaits", slow_waits_fields, NULL);

static const struct field waits_fields[] = {
    {.key = "run_queue_delay", .kind = FIELD_OBJECT, .table = &delay_table},
    /* A body of its own in JSON. */
    {.kind = FIELD_OBJECT, .table = &slow_waits_table, .missing_at = MISSING_AT(TYPE, missing)},
    {.key = "blocked_time", .kind = FIELD_OBJECT, .table = &blocked_time_table},
    {.key = "reclaim_stalls", .kind = FIELD_OBJECT, .table = &reclaim_table},
};
const struct field_table waits_table = FIELD_TABLE("Waits", waits_fields, NULL);
#undef TYPE
