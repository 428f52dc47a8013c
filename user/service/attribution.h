/* Whose accepted connections are whose: the `match` of each service, as the kernel needs it.
 * Cgroups and network namespaces are looked up and processes found by name again and again, for
 * they come and go.
 */
#ifndef MOONWATCH_SERVICE_ATTRIBUTION_H
#define MOONWATCH_SERVICE_ATTRIBUTION_H

#include "base/host.h"
#include "config/config.h"
#include "model/task_table.h"
#include "probe/probe.h"

struct attribution;

/* `cgroup_root` is the mount of cgroup v2; NULL: none, nothing is matched by cgroup or unit. All
 * borrowed. */
int attribution_create(struct attribution **ret, struct probe *probe, const struct host *host,
                       const char *cgroup_root);
void attribution_destroy(struct attribution *a);

/* A reload, as struct config_part says. */
int attribution_stage(struct attribution *a, const struct config *config);
void attribution_unstage(struct attribution *a);
void attribution_commit(struct attribution *a);
/* Row of call_stats: who keeps the name keeps the row. */
uint32_t attribution_row(const struct attribution *a, size_t service);
/* Looks for what came and went. `tasks` may be NULL: nothing is found by process. 0 or a negative
 * errno. */
int attribution_refresh(struct attribution *a, const struct task_table *tasks);
/* Nothing that matches is there at the moment (for a port: not its network namespace). */
bool attribution_absent(const struct attribution *a, size_t service);

#endif
