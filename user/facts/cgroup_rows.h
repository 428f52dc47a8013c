/* Which cgroups have rows of their own on the metrics page, and what the row `other` counts.
 *
 * A counter may not go back, or Prometheus takes it for a restart and adds the whole value again.
 * So `other` is the host's figure less what was counted in rows of their own *while* they had one:
 * a cgroup that gets a row leaves what it had before in `other`, and one that loses its row does
 * not come back into it.
 */
#ifndef MOONWATCH_FACTS_CGROUP_ROWS_H
#define MOONWATCH_FACTS_CGROUP_ROWS_H

#include "model/scheduler.h"
#include <stdbool.h>

/* A screen full of services; a row costs 16 lines of the page. */
#define CGROUP_ROWS_MAX 20

struct cgroup_totals {
    struct latency delay, blocked, reclaim;
};

struct cgroup_row {
    uint64_t cgroup_id;
    bool seen; /* in the snapshot of this update */
    const char *path;
    struct cgroup_totals base; /* when it got its row */
    struct cgroup_totals now;
};

struct cgroup_rows {
    bool told; /* there was an update before */
    size_t count;
    struct cgroup_row rows[CGROUP_ROWS_MAX];
    struct cgroup_totals departed; /* counted in rows that are gone */
    struct cgroup_totals other;
};

/* At most `max` rows, and CGROUP_ROWS_MAX. Paths are valid as long as the snapshot. All zero is the
 * beginning. */
void cgroup_rows_update(struct cgroup_rows *all, const struct scheduler_snapshot *scheduler,
                        size_t max);

#endif
