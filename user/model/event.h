/* Facts that are acted on at once: OOM kills with their capsule, crashes, failed connects, stalls.
 */
#ifndef MOONWATCH_MODEL_EVENT_H
#define MOONWATCH_MODEL_EVENT_H

#include "abi/record.h"
#include "abi/tcp.h"
#include "model/process.h"
#include <stdbool.h>

#define EVENTS_KEPT 32

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

enum exit_kind {
    ENDED_CRASHED, /* by a signal that the program brought on itself */
    ENDED_FAILED,  /* a service's main process ended with a status that is no success */
    ENDED_KILLED,  /* by a signal that was sent to end it */
    ENDED_STATUS,  /* any other process with a status, which is everyday life */
    ENDED_KIND_COUNT,
};

extern const char *const exit_kind_names[]; /* "crash", "failed", "killed", "exit", NULL */
const char *exit_kind_name(enum exit_kind kind);
#define EXIT_CAUSE_BYTES 24
/* "by SIGSEGV", "with exit status 3" */
const char *exit_cause(const struct record_exit *record, char buffer[EXIT_CAUSE_BYTES]);
enum exit_kind exit_kind_of(const struct record_exit *record);
/* What a service manager, a container's shim or a supervisor started, not what that started. */
bool exit_of_main_process(const struct record_exit *record);
/* A service's main process that got a SIGKILL. */
bool exit_by_kill(const struct record_exit *record);
/* A main process that has its service's cgroup for itself and its children. */
bool exit_heads_service(const struct record_exit *record);

/* Whether it can be a service that crashes again and again. What people run in their sessions, and
 * what a service's own children start (a build server's tests that abort on purpose), is none. */
bool exit_may_loop(const struct record_exit *record);

/* The innermost unit in a cgroup's path, so many bytes of it; 0: there is none. */
const char *unit_of(const char *cgroup_path, size_t *ret_bytes);

struct crash {
    uint64_t realtime_ns;
    enum exit_kind kind;
    uint64_t number; /* among those that crashed, failed or are killed in a loop; 0: none of it */
    /* Of the same service in the last five minutes, this one included; of failures those after
     * which it was started again soon. 1 for what is no service. */
    uint32_t repeats;
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

/* systemd gives up on a unit at 5 starts in 10 s; a slower loop goes on for ever and is what has to
 * be told. */
#define CRASH_LOOP_MIN 3
/* Of SIGKILLs, which also end a stop that took too long: nobody restarts by hand as often. */
#define KILL_LOOP_MIN 5
uint32_t crash_loop_min(enum exit_kind kind);

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
    double failures_total;       /* and of main processes that failed */
    double connects_failed_total, stalls_total;
    size_t oom_count, exit_count, connect_failed_count, stall_count;
    size_t oom_rows, crash_rows, stall_rows;
    const struct oom_capsule *ooms;
    /* Half of the places are kept for crashes: a shell script's exits with status 1 do not push
     * them out. */
    const struct crash *abnormal_exits;
    const struct crash *crashes; /* and failures, and kills of a loop */
    const struct crash_loop *crash_loops;
    size_t crash_loop_count;
    const struct connect_failed *connects_failed;
    const struct stall *stalls;
};

/* "refused" ..., "direct" ...; NULL ends the tables. */
extern const char *const connect_failure_names[], *const reclaim_kind_names[];
const char *connect_failure_name(enum connect_failure f);

#endif
