/* Breakers as the agent drives them: the rows shared with the kernel, whose address is whose, and
 * the cgroups in which connects are stopped. The protocol: abi/breaker.h.
 */
#ifndef MOONWATCH_PROBE_BREAKER_ROWS_H
#define MOONWATCH_PROBE_BREAKER_ROWS_H

#include "abi/call.h"
#include "probe/probe.h"

/* UPSTREAMS_MAX rows in memory shared with the kernel, for the life of the probe; NULL when there
 * are none (`*ret_reason` says why). Whole aligned words only, with __atomic builtins. */
struct breaker_row *probe_breaker_rows(struct probe *probe, const char **ret_reason);
/* True when the rows are those of an agent that was killed, its states being in force; the caller
 * goes on from them, and clears those of upstreams it does not know. */
bool probe_breaker_adopted(const struct probe *probe);
/* Until when (CLOCK_MONOTONIC) the kernel enforces, as it reads it; 0: it does not. */
uint64_t probe_breaker_expires_ns(const struct probe *probe);
/* Enforcement lasts until `expires_ns` (CLOCK_MONOTONIC) unless it is moved on. It starts, and
 * calls of this process begin to pass, with the first call. 0 or a negative errno. */
int probe_breaker_heartbeat(struct probe *probe, uint64_t expires_ns);

/* One address of an upstream. The longest matching prefix of a port decides. */
struct upstream_address {
    uint8_t addr[16];     /* network order; IPv4 as ::ffff:a.b.c.d */
    uint32_t prefix_bits; /* 1..128 of `addr` (IPv4: 96 + those of the IPv4 prefix) */
    uint16_t port;        /* host order */
    uint32_t upstream;    /* below UPSTREAMS_MAX */
    uint32_t address;     /* which of its configured addresses */
};

/* From now on these are the addresses, without a moment in which one of both sets is missing. Of
 * equal keys the last one counts. 0 or a negative errno (-E2BIG: more than the table holds). */
int probe_upstreams_set(struct probe *probe, const struct upstream_address *list, size_t count);

/* Puts the fallback into the slot that is not in use, and switches to it. NULL: none, connects are
 * refused. */
void breaker_set_fallback(struct breaker_row *row, const struct breaker_fallback *fallback);

/* Whose row the kernel takes for a connect to the address (`upstream` and `address` are not looked
 * at): below UPSTREAMS_MAX, or a negative errno (-ENOENT: nobody's). */
int probe_upstream_of(struct probe *probe, const struct upstream_address *address);

enum probe_hook {
    PROBE_HOOK_CONNECT, /* enforcement; pinned, so that it outlives a killed agent */
    PROBE_HOOK_HTTP,    /* statuses of answers (call_limit.http) */
    PROBE_HOOK_COUNT,
};

/* From now on the hook is attached to these cgroups (absolute paths of cgroup v2) and no others, to
 * each with all of its programs or none. What a killed agent left attached is taken over without a
 * gap. 0 or a negative errno, `error` then naming the program, the cgroup and what is in the way;
 * the others are attached all the same. */
int probe_hook_set(struct probe *probe, enum probe_hook hook, const char *const *cgroups,
                   size_t count, char error[PROBE_ERROR_BYTES]);

/* Whether the kernel runs this agent's programs of the hook at the cgroup of this id (the inode
 * number of its directory) at this moment; `why` is one line if not. */
bool probe_hook_attached(struct probe *probe, enum probe_hook hook, uint64_t cgroup_id,
                         char why[PROBE_ERROR_BYTES]);

/* Closes the established and connecting sockets to the upstream (a RST to both sides) in the
 * network namespace of the caller: those made in `clients` (absolute path) or below, NULL: all.
 * Returns their number or a negative errno (-EOPNOTSUPP: no CONFIG_INET_DIAG_DESTROY). */
int probe_breaker_close_sockets(struct probe *probe, uint32_t upstream, const char *clients);

#endif
