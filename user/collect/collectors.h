/* All collectors, and the snapshot they fill. */
#ifndef MOONWATCH_COLLECT_COLLECTORS_H
#define MOONWATCH_COLLECT_COLLECTORS_H

#include "collect/collector.h"
#include "collect/visibility.h"

struct collectors;

int collectors_create(struct collectors **ret, const struct collector_env *env);
void collectors_destroy(struct collectors *collectors);

/* Samples everything into the one snapshot, and hands it to whoever completes it (last_known.h)
 * before anybody reads it. */
struct snapshot *collectors_sample(struct collectors *collectors, uint64_t now_ns);
/* Hands a ring-buffer record, which is as long as its type, to every collector that wants it. */
void collectors_record(struct collectors *collectors, const struct record_head *record);
/* Where a process ended, or was killed for memory, as event_path() has it. */
void collectors_exit_cgroup(struct collectors *collectors, const struct record_exit *record,
                            char ret[CGROUP_PATH_BYTES]);
void collectors_oom_cgroup(struct collectors *collectors, const struct record_oom *record,
                           char ret[CGROUP_PATH_BYTES]);
const struct snapshot *collectors_snapshot(const struct collectors *collectors);

/* As found at the start: VISIBILITY_PARTS of them. */
const struct visibility_part *collectors_visibility(const struct collectors *collectors);

struct collector_view {
    const char *name;
    double seconds; /* wall time of the last sample */
};
size_t collectors_count(void);
void collectors_view(const struct collectors *collectors, size_t index, struct collector_view *ret);

#endif
