/* Retry storms: local clients whose attempts to connect to an upstream grow while it fails, which
 * is what keeps it from coming back.
 *
 * Of each client (cgroup and command) it is learnt how often it usually connects: an exponential
 * average over the time in which the upstream does not fail. While it fails, a client that makes
 * RETRY_STORM_GROWTH times as many attempts, at least RETRY_STORM_ATTEMPTS in RETRY_WINDOW_NS,
 * storms, until half of that growth is gone or the upstream works. A client that was first seen
 * while it failed is held against its own first window.
 */
#ifndef MOONWATCH_SERVICE_RETRY_STORM_H
#define MOONWATCH_SERVICE_RETRY_STORM_H

#include "abi/call.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETRY_WINDOW_NS (10 * 1000000000ULL)
#define RETRY_STORM_GROWTH 3.0
#define RETRY_STORM_ATTEMPTS 20
/* Of clients per upstream; the one that was silent longest makes room. */
#define RETRY_CLIENTS_MAX 64
#define RETRY_CGROUP_BYTES 128

struct retry_storms;

struct retry_client_view {
    uint64_t cgroup_id;
    double attempts_per_second;
    double usual_per_second;
    uint64_t since_ns; /* of the storm */
    uint32_t pid;      /* that of its first attempt */
    char comm[COMM_BYTES + 1];
    char cgroup[RETRY_CGROUP_BYTES]; /* path; "": unknown */
};

struct retry_storm_ops {
    /* A storm has begun, or ended. */
    void (*changed)(void *ctx, const struct retry_client_view *client, bool begun);
    /* Path of a cgroup; NULL: unknown. May be NULL. */
    const char *(*cgroup_path)(void *ctx, uint64_t cgroup_id);
    void *ctx;
};

int retry_storms_create(struct retry_storms **ret);
void retry_storms_destroy(struct retry_storms *r);

/* The attempts that a client has made so far, once a tick for each; then retry_storms_tick(). */
void retry_storms_feed(struct retry_storms *r, uint64_t now_ns,
                       const struct connect_client_key *client, const struct connect_client *total);
/* `failing`: whether the upstream fails at present. `ops` may be NULL. */
void retry_storms_tick(struct retry_storms *r, uint64_t now_ns, bool failing,
                       const struct retry_storm_ops *ops);

/* Those that storm, into `ret`; at most `max`. Returns their number, which may be more. */
size_t retry_storms_view(const struct retry_storms *r, struct retry_client_view *ret, size_t max);
uint64_t retry_storms_total(const struct retry_storms *r);

#endif
