/* Facts that are acted on at once: OOM kills with their capsule, crashes, failed connects, stalls.
 */
#ifndef MOONWATCH_MODEL_EVENT_H
#define MOONWATCH_MODEL_EVENT_H

#include "abi/record.h"
#include "abi/tcp.h"
#include "model/process.h"
#include <stdbool.h>

#define EVENTS_KEPT 32
#define CGROUP_PATH_BYTES 256

/* What was known when the OOM killer struck. */
struct oom_capsule {
    uint64_t realtime_ns;
    uint64_t number; /* of all of its kind since the agent started, from 1; so are the others' */
    struct record_oom record;
    bool global;                         /* the host ran out, no cgroup was at its limit */
    char cgroup_path[CGROUP_PATH_BYTES]; /* of the victim, "/" for the root; "": not resolved */
    char limit_path[CGROUP_PATH_BYTES];  /* of the cgroup at its limit */
    uint64_t snapshot_age_ns;            /* of the task snapshot the rows come from */
    size_t top_count;
    struct process_row top[TOP_COUNT]; /* by RSS, inside the cgroup at its limit when not global */
};

struct crash {
    uint64_t realtime_ns;
    uint64_t number;  /* among the crashes; 0: it is none */
    uint32_t repeats; /* crashes of the same service in the last five minutes, this one included */
    struct record_exit record;
    char cgroup_path[CGROUP_PATH_BYTES];
};

struct connect_failed {
    uint64_t realtime_ns;
    struct record_connect_failed record;
};

struct stall {
    uint64_t realtime_ns;
    uint64_t number;
    struct record_stall record;
    char cgroup_path[CGROUP_PATH_BYTES];
};

/* A signal that the program brought on itself, not one that was sent to end it. */
bool signal_is_crash(uint32_t signal);

/* systemd gives up on a unit at 5 starts in 10 s; a slower loop goes on for ever and is what has to
 * be told. */
#define CRASH_LOOP_MIN 3

/* A service that crashes again and again. */
struct crash_loop {
    struct crash last;
    uint32_t count; /* in the last five minutes */
};

/* Newest first. Totals count since the agent started. Lists whose
 * events are counted have `*_rows` rows: those that are kept, or all that arrived since the sample
 * before if that is more; the number of the last that was counted tells which are new. */
struct event_snapshot {
    double ooms_total;
    double abnormal_exits_total; /* by a signal or with a non-zero status */
    double crashes_total;        /* of these, by a signal that is a crash */
    double connects_failed_total, stalls_total;
    size_t oom_count, exit_count, connect_failed_count, stall_count;
    size_t oom_rows, crash_rows, stall_rows;
    const struct oom_capsule *ooms;
    /* Half of the places are kept for crashes: a shell script's exits with status 1 do not push
     * them out. */
    const struct crash *abnormal_exits;
    const struct crash *crashes;
    const struct crash_loop *crash_loops;
    size_t crash_loop_count;
    const struct connect_failed *connects_failed;
    const struct stall *stalls;
};

const char *connect_failure_name(enum connect_failure f); /* "refused" ... */
const char *record_type_name(enum record_type t);         /* "slow_wait" ... */

#endif
