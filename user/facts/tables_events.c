/* What happened lately, and how often. */
#include "facts/tables.h"
#include "model/snapshot.h"

#define TYPE struct event_snapshot
#define TOTAL(name, member, ...)                                                                   \
    ROW(name, FIELD_DOUBLE, member, .about = "since the agent started", __VA_ARGS__)
static const struct field oom_events_fields[] = {
    TOTAL("oom_kills_total", ooms_total,
          COUNTER("moonwatch_oom_victims",
                  "Processes the OOM killer chose, since the agent started.")),
    LIST("oom_kills", ooms, oom_count, &oom_table, struct oom_capsule),
};
static const struct field crash_events_fields[] = {
    ROW("crashes_total", FIELD_DOUBLE, crashes_total,
        .about = "of these, by a signal that is a crash",
        COUNTER("moonwatch_crashes",
                "Processes ended by a signal of their own making, since the agent started.")),
    ROW("abnormal_exits_total", FIELD_DOUBLE, abnormal_exits_total,
        .about = "by a signal or with a non-zero status, since the agent started",
        COUNTER("moonwatch_abnormal_exits",
                "Records of processes ended by a signal or with a non-zero status."),
        AFTER("main_process_failures_total")),
    ROW("main_process_failures_total", FIELD_DOUBLE, failures_total,
        .about = "of services and containers, that ended with a status that is no success",
        COUNTER("moonwatch_main_process_failures",
                "Main processes of services and containers that ended with a status that is "
                "no success, since the agent started.")),
    LIST("abnormal_exits", abnormal_exits, exit_count, &crash_table, struct crash,
         .about = "crashes among them are kept longer"),
};
static const struct field connect_events_fields[] = {
    TOTAL("connects_failed_total", connects_failed_total,
          COUNTER("moonwatch_connects_failed", "Records of outgoing connects that failed.")),
    LIST("connects_failed", connects_failed, connect_failed_count, &connect_failed_table,
         struct connect_failed),
};
static const struct field stall_events_fields[] = {
    TOTAL("stalls_total", stalls_total,
          COUNTER("moonwatch_reclaim_stalls",
                  "Stalls in memory reclaim longer than performance_tracker.stall_ms.")),
    LIST("stalls", stalls, stall_count, &stall_table, struct stall),
};
#undef TYPE

FIELD_METRICS(oom_events_fields, "", NEED_OOM);
const struct field_table oom_events_table = FIELD_TABLE("OomEvents", oom_events_fields, NULL);
FIELD_METRICS(crash_events_fields, "", NEED_PROCESS);
const struct field_table crash_events_table = FIELD_TABLE("CrashEvents", crash_events_fields, NULL);
FIELD_METRICS(connect_events_fields, "", NEED_TCP);
const struct field_table connect_events_table =
    FIELD_TABLE("ConnectEvents", connect_events_fields, NULL);
FIELD_METRICS(stall_events_fields, "", NEED_STALLS);
const struct field_table stall_events_table = FIELD_TABLE("StallEvents", stall_events_fields, NULL);
