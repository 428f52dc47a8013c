/* A task snapshot of this host. */
#ifndef MOONWATCH_TEST_TASK_SNAPSHOT_H
#define MOONWATCH_TEST_TASK_SNAPSHOT_H

#include "model/task_table.h"
#include "probe_fixture.h"

static inline void snapshot_row(void *ctx, const struct task_row *row)
{
    task_table_add(ctx, row);
}

static inline void snapshot(struct probe *probe, struct task_table *table)
{
    task_table_begin(table, monotonic_ns(), true, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(probe_tasks_for_each(probe, snapshot_row, table) > 0);
    assert_int_equal(task_table_end(table), 0);
}

#endif
