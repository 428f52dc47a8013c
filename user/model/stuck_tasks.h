/* Threads in uninterruptible sleep that have not run since: the same one, seen asleep in snapshot
 * after snapshot with no switch in between. Waits of a disk at work are over long before the
 * second.
 *
 * Pure, as model/task_table.h. Threads of the kernel are left out: they sleep so by trade.
 */
#ifndef MOONWATCH_MODEL_STUCK_TASKS_H
#define MOONWATCH_MODEL_STUCK_TASKS_H

#include "abi/task.h"
#include "model/process.h"

struct stuck_tasks;

int stuck_tasks_create(struct stuck_tasks **ret);
void stuck_tasks_destroy(struct stuck_tasks *stuck);

/* One snapshot: begin, add each row. */
void stuck_tasks_begin(struct stuck_tasks *stuck, uint64_t now_ns);
void stuck_tasks_add(struct stuck_tasks *stuck, const struct task_row *row);

/* The longest `max` of the last snapshot, the longest first; returns how many. */
size_t stuck_tasks_longest(const struct stuck_tasks *stuck, struct stuck_task *ret, size_t max);

#endif
