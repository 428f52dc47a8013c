/* Processes, summed from the threads of task snapshots, and how they change between snapshots.
 *
 * Pure: fed row by row, no clock and no kernel of its own. A process is its pid and start time, so
 * a pid used again is another process. A process that ended stays for TASK_TABLE_ENDED_NS: an OOM
 * kill is looked at after its victims are gone.
 */
#ifndef MOONWATCH_MODEL_TASK_TABLE_H
#define MOONWATCH_MODEL_TASK_TABLE_H

#include "abi/task.h"
#include "model/process.h"
#include <stdbool.h>

#define TASK_TABLE_ENDED_NS 10000000000ULL
/* Shares are of at least this long a time, whatever the distance of the last two snapshots. */
#define TASK_TABLE_INTERVAL_MIN_NS 1000000000ULL

struct task_table;

int task_table_create(struct task_table **ret);
void task_table_destroy(struct task_table *table);

/* One snapshot: begin, add each row, end. Blocked time is unknown without `blocked_known`. `cpus`
 * bounds what a process with threads can have taken. Returns -ENOMEM when rows are lacking. */
void task_table_begin(struct task_table *table, uint64_t now_ns, bool blocked_known, unsigned cpus);
void task_table_add(struct task_table *table, const struct task_row *row);
int task_table_end(struct task_table *table);

uint64_t task_table_taken_ns(const struct task_table *table); /* 0: never */
size_t task_table_processes(const struct task_table *table);
size_t task_table_threads(const struct task_table *table);

struct task_query {
    enum top_order order;
    bool with_ended;
    bool (*inside)(void *ctx, uint64_t memory_cgroup_id); /* NULL: every process */
    void *ctx;
};

/* The highest `max` (at most TOP_COUNT) by the order, zeros left out; returns how many. */
size_t task_table_top(const struct task_table *table, const struct task_query *query,
                      struct process_row *ret, size_t max);
/* Every process of the last snapshot. */
void task_table_for_each(const struct task_table *table,
                         void (*fn)(void *ctx, uint32_t pid, const char *comm), void *ctx);
/* False when no such process is known, ended ones included. */
bool task_table_find(const struct task_table *table, uint32_t pid, struct process_row *ret);

#endif
