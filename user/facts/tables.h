/* The tables of the snapshot's parts, and of what the agent itself does. The `ctx` of their texts
 * is the snapshot. */
#ifndef MOONWATCH_FACTS_TABLES_H
#define MOONWATCH_FACTS_TABLES_H

#include "facts/field.h"

extern const struct field_table cpu_table, tasks_table, cpu_throttle_table, memory_table,
    filesystem_table, block_device_table, block_traced_table, interface_table, network_table,
    tcp_port_table, pressure_resources_table, waits_table, slow_waits_table, oom_events_table,
    crash_events_table, connect_events_table, stall_events_table, receiver_table;
extern const struct field_table process_table, processes_table, files_table, oom_table, crash_table,
    connect_failed_table, stall_table, slow_wait_table, cgroup_waits_table, queue_table,
    process_files_table, cgroup_pids_table, stuck_task_table, listener_table, short_processes_table,
    cgroup_cpu_table, longest_stuck_table;

/* Shorthands for rows of a table over structure TYPE (defined by the file that uses them). */
#define ROW(name, field_kind, member, ...)                                                         \
    {                                                                                              \
        .key = (name), .kind = (field_kind), .offset = offsetof(TYPE, member), __VA_ARGS__         \
    }
#define PERCENT(name, member, ...) ROW(name, FIELD_READING, member, .decimals = 1, __VA_ARGS__)
#define WHOLE(name, member, ...) ROW(name, FIELD_READING, member, .decimals = 0, __VA_ARGS__)
#define LIST(name, member, counter, row_table, row_type, ...)                                      \
    ROW(name, FIELD_LIST, member, .table = (row_table), .stride = sizeof(row_type),                \
        .count_offset = offsetof(TYPE, counter), __VA_ARGS__)
/* Not in JSON. */
#define FIGURE(field_kind, member, ...)                                                            \
    {                                                                                              \
        .kind = (field_kind), .offset = offsetof(TYPE, member), __VA_ARGS__                        \
    }
#define COMPUTED(name, function, ...)                                                              \
    {                                                                                              \
        .key = (name), .kind = FIELD_TEXT, .text = (function), __VA_ARGS__                         \
    }

/* The same figure in /metrics, for the last part of a row. Names are those of families: without
 * `_total`. */
#define METRIC(metric_name, metric_type, metric_help, ...)                                         \
    .metric = {.name = (metric_name), .type = (metric_type), .help = (metric_help), __VA_ARGS__}
#define GAUGE(name, help, ...) METRIC(name, METRIC_GAUGE, help, __VA_ARGS__)
#define COUNTER(name, help, ...) METRIC(name, METRIC_COUNTER, help, __VA_ARGS__)
#define HISTOGRAM(name, help, ...) METRIC(name, METRIC_HISTOGRAM, help, __VA_ARGS__)
#define AFTER(row) .after = (row)
/* What is made of it, likewise. */
#define JUDGED(check) .judged = (check)
#define WATCHED .watched = true
#define LIMIT(value) .limit = (value)
#define RUNS_OUT .runs_out = true
#define LIMIT_AT(member) .limit_at = offsetof(TYPE, member) + 1
/* The kernel side's nanoseconds as seconds. */
#define FROM_NS 1e9

#endif
