/* Reading the kernel side's maps. */
#ifndef MOONWATCH_PROBE_MAP_H
#define MOONWATCH_PROBE_MAP_H

#include "probe/probe.h"

/* Called once per row. `values` holds one value per possible CPU, `stride` bytes apart. A per-CPU
 * value is copied while it is written: each field is consistent, the row as a whole may be one
 * event apart. */
typedef void probe_map_row_fn(void *ctx, const void *key, const void *values, unsigned cpus,
                              size_t stride);

/* Every row of a per-CPU map, in few system calls (batched). Returns the number of rows, -ENOENT
 * when this kernel does not have the map, or a negative errno. */
int probe_map_for_each(struct probe *probe, const char *map, probe_map_row_fn *fn, void *ctx);
int probe_map_delete(struct probe *probe, const char *map, const void *key);
/* Deletes the row and hands its last values to `fn`. What a program that had found it before adds
 * afterwards is lost. -ENOENT when it is not there. */
int probe_map_take(struct probe *probe, const char *map, const void *key, probe_map_row_fn *fn,
                   void *ctx);

/* Writes the one value of an array's first row. */
int probe_map_set_u64(struct probe *probe, const char *map, uint64_t value);

/* Runs the task iterator and hands every row to `fn`. Returns the number of rows or a negative
 * errno. */
struct task_row;
typedef void probe_task_row_fn(void *ctx, const struct task_row *row);
int probe_tasks_for_each(struct probe *probe, probe_task_row_fn *fn, void *ctx);

#endif
