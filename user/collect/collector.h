/* What a collector is: one source of figures, one section of the snapshot.
 *
 * A collector never fails the tick: what it cannot read becomes `missing` with the reason. A new
 * collector is one file and one row in collect/collector_rows.h.
 */
#ifndef MOONWATCH_COLLECT_COLLECTOR_H
#define MOONWATCH_COLLECT_COLLECTOR_H

#include "base/cgroup_path.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/loop.h"
#include "collect/collector_rows.h"
#include "model/snapshot.h"
#include "probe/probe.h"

struct collector_env {
    const struct host *host;
    const struct clock *clock;
    struct loop *loop;   /* NULL in tests that need no triggers */
    struct probe *probe; /* NULL: no BPF; its figures are missing with that reason */
    /* Names of cgroups v2, and of the memory controller's cgroups. Made by collectors_create(). */
    struct cgroup_paths *cgroups, *memory_cgroups;
};

struct collector {
    const char *name;
    size_t state_size; /* zeroed before open */
    /* 0, or -ENOMEM, which ends the agent; what the host lacks is no error. After an error
     * `close` is not called. */
    int (*open)(void *state, const struct collector_env *env);
    void (*sample)(void *state, uint64_t now_ns, struct snapshot *snapshot);
    void (*on_record)(void *state, const struct record_head *record,
                      uint64_t realtime_ns); /* or NULL */
    void (*close)(void *state);
};

#define COLLECTOR(name) extern const struct collector name##_collector;
COLLECTOR_ROWS(COLLECTOR)
#undef COLLECTOR

#endif
