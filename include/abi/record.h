/* Records in the ring buffer `events`: facts worth one record each, fixed width, little padding.
 * Each stands in the header of its concern, as struct record_NAME, and has a row here.
 */
#ifndef MOONWATCH_RECORD_H
#define MOONWATCH_RECORD_H

#include "abi/call.h"
#include "abi/oom.h"
#include "abi/process.h"
#include "abi/reclaim.h"
#include "abi/runq.h"
#include "abi/tcp.h"

/* ROW(ID, name, component, what): RECORD_ID, struct record_NAME and the label NAME; whose health
 * says so when some are lost (COMPONENT_ID of user/health), and of what. */
#define RECORD_ROWS(ROW)                                                                           \
    ROW(SLOW_WAIT, slow_wait, SCHEDULER, "slow waits")                                             \
    ROW(EXIT, exit, PERFORMANCE, "abnormal exits")                                                 \
    ROW(OOM, oom, RESOURCES, "OOM kills")                                                          \
    ROW(STALL, stall, RESOURCES, "reclaim stalls")                                                 \
    ROW(CONNECT_FAILED, connect_failed, PERFORMANCE, "failed connects")                            \
    ROW(BREAKER, breaker, PERFORMANCE, "breaker transitions")                                      \
    ROW(CALL_FAILED, call_failed, PERFORMANCE, "failed calls")

#define RECORD_TYPE(id, ...) RECORD_##id,
enum record_type { RECORD_ROWS(RECORD_TYPE) RECORD_TYPE_COUNT };
#undef RECORD_TYPE

/* Map `emit_stats`, per CPU, keyed by record_type. produced = consumed + dropped once drained. */
struct emit_stats {
    __u64 produced; /* attempts, the dropped ones included */
    __u64 dropped;  /* failed reservations */
};

/* Map `map_drops`, per CPU: updates lost because a map was full. ROW(ID, name): MAP_DROP_ID and the
 * label NAME. */
#define MAP_DROP_ROWS(ROW)                                                                         \
    ROW(RUNQ_CGROUP, runq_cgroup)                                                                  \
    ROW(RUNQ_TASK, runq_task)                                                                      \
    ROW(BLOCKED_CGROUP, blocked_cgroup)                                                            \
    ROW(BLOCKED_TASK, blocked_task)                                                                \
    ROW(PROCESS_CGROUP, process_cgroup)                                                            \
    ROW(PROCESS_SHORT, process_short)                                                              \
    ROW(RECLAIM_CGROUP, reclaim_cgroup)                                                            \
    ROW(RECLAIM_TASK, reclaim_task)                                                                \
    ROW(BLKIO_DEVICE, blkio_device)                                                                \
    ROW(BLKIO_INFLIGHT, blkio_inflight)                                                            \
    ROW(TCP_PORT, tcp_port)                                                                        \
    ROW(TCP_SOCKET, tcp_socket)                                                                    \
    ROW(CALL_SOCKET, call_socket)

#define MAP_DROP(id, name) MAP_DROP_##id,
enum map_drop { MAP_DROP_ROWS(MAP_DROP) MAP_DROP_COUNT };
#undef MAP_DROP

#endif
