/* Calls of upstreams and services: what the kernel counted, and what is in flight. abi/call.h. */
#ifndef MOONWATCH_PROBE_CALLS_H
#define MOONWATCH_PROBE_CALLS_H

#include "abi/call.h"
#include "probe/probe.h"

/* The row's counts, of all CPUs. 0, -ENOENT when calls are not followed, or a negative errno. */
int probe_call_stats(struct probe *probe, uint32_t row, struct call_stats *ret);
typedef void probe_call_stats_fn(void *ctx, uint32_t row, const struct call_stats *stats);
/* Likewise the counts of `count` rows from `first` on, with one system call for dozens of them. */
int probe_call_stats_range(struct probe *probe, uint32_t first, uint32_t count,
                           probe_call_stats_fn *fn, void *ctx);
int probe_call_limit_set(struct probe *probe, uint32_t row, const struct call_limit *limit);

enum service_key_kind {
    SERVICE_PORT,   /* SERVICE_PORT_KEY */
    SERVICE_CGROUP, /* cgroup v2 id of the process */
    SERVICE_TGID,
    SERVICE_KEY_KIND_COUNT,
};

struct service_key {
    enum service_key_kind kind;
    uint64_t key;
    uint32_t service; /* below SERVICES_MAX */
};

/* From now on these tell whose an accepted connection is: by port, else by cgroup, else by process.
 * Connections that were nobody's are asked again. */
int probe_services_set(struct probe *probe, const struct service_key *keys, size_t count);

typedef void probe_call_row_fn(void *ctx, const struct call_row *row);

/* Walks over all open sockets: brings bytes, retransmits and RTT up to date, takes up connections
 * older than the programs, counts calls that have become slow or timed out (the latter are told to
 * the breaker and in records, like any failure), and hands every call in flight to `fn` (may be
 * NULL). `*ret_next_ns` is when the next call can become slow or time out (0: never); a scan before
 * has nothing to count. Costs about 0.1 us per open file of the host. Returns the number of calls
 * in flight, -ENOENT when calls are not followed, or a negative errno. */
int probe_calls_scan(struct probe *probe, probe_call_row_fn *fn, void *ctx, uint64_t *ret_next_ns);

#endif
