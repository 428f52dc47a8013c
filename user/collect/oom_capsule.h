/* What was known when the OOM killer struck: the record, and who used the memory. */
#ifndef MOONWATCH_COLLECT_OOM_CAPSULE_H
#define MOONWATCH_COLLECT_OOM_CAPSULE_H

#include "base/cgroup_path.h"
#include "model/event.h"
#include "model/task_table.h"

/* When the record arrives: the cgroups may be gone soon. `capsule->record` is filled in. */
void oom_capsule_begin(struct oom_capsule *capsule, struct cgroup_paths *memory_cgroups,
                       uint64_t now_ns);
/* Once there is a task snapshot from after the kill; `tasks` may be NULL. */
void oom_capsule_complete(struct oom_capsule *capsule, const struct task_table *tasks,
                          struct cgroup_paths *memory_cgroups, uint64_t now_ns);

#endif
