/* Everything known about the configured services (what runs here) and upstreams (what is called
 * from here): their performance, and of upstreams the breaker and the fallback. Fed by others with
 * what the kernel counted and recorded and with the outcomes of checks; asked for views.
 *
 * Services and upstreams are numbered as in the configuration. `now_ns` is CLOCK_MONOTONIC and
 * never before that of the last call.
 */
#ifndef MOONWATCH_SERVICE_SERVICE_H
#define MOONWATCH_SERVICE_SERVICE_H

#include "abi/call.h"
#include "breaker/breaker.h"
#include "config/config.h"
#include "service/fallback.h"
#include "service/performance.h"
#include "service/retry_storm.h"
#include "service/transport.h"

struct services;

/* What comes of an open breaker at connect(), as it was last read back from the kernel. */
enum enforcement {
    ENFORCEMENT_NOT_ASKED, /* mode, circuit_breaker.enabled or --dry-run say so */
    ENFORCEMENT_ACTIVE,
    ENFORCEMENT_PENDING, /* not looked at yet, or an address is being resolved */
    ENFORCEMENT_IDLE,    /* nobody is there: no cgroup of clients, or no address */
    ENFORCEMENT_FAILED,
    ENFORCEMENT_COUNT,
};

#define ENFORCEMENT_WHY_BYTES 256

struct services_ops {
    double (*random)(void *ctx); /* uniform in [0, 1) */
    /* Each may be NULL. */
    /* It ended or came back, or another reason keeps it from being. `why` is NULL when it is. */
    void (*enforcement_changed)(void *ctx, const char *upstream, enum enforcement enforcement,
                                const char *why);
    void (*breaker_moved)(void *ctx, const char *upstream, const struct breaker_transition *t);
    void (*fallback_switched)(void *ctx, const char *upstream, const struct fallback_switch *s);
    void (*retry_storm)(void *ctx, const char *upstream, const struct retry_client_view *client,
                        bool begun);
    /* Path of a cgroup v2; NULL: unknown. */
    const char *(*cgroup_path)(void *ctx, uint64_t cgroup_id);
    void *ctx;
};

/* Where the breakers' states live: the kernel's map, or NULL for memory of their own, with the
 * reason why nothing is enforced then. All borrowed. */
struct services_rows {
    struct breaker_row *rows; /* UPSTREAMS_MAX of them */
    const char *missing;
};

/* `config` is borrowed until services_commit(). An upstream takes over the row that an agent
 * before left under its name; rows of others are cleared. */
int services_create(struct services **ret, const struct config *config,
                    const struct services_rows *rows, const struct services_ops *ops,
                    uint64_t now_ns);
void services_destroy(struct services *s); /* leaves the rows as they are */
/* A reload, as struct config_part says. Who keeps the name keeps the state and the row. Breakers
 * move in services_tell(), when all is the new configuration's. */
int services_stage(struct services *s, const struct config *config, uint64_t now_ns);
void services_unstage(struct services *s);
void services_commit(struct services *s, uint64_t now_ns);
void services_tell(struct services *s, uint64_t now_ns);

/* Which row an upstream's addresses are to point at. */
size_t services_row(const struct services *s, size_t upstream);
/* The upstream a row belongs to; SIZE_MAX: none. */
size_t services_upstream_of_row(const struct services *s, size_t row);

/* Calls that were not answered yet when the kernel side last looked. Times are CLOCK_MONOTONIC. */
struct call_flight {
    uint64_t looked_ns; /* 0: it has not looked yet */
    uint64_t calls;
    uint64_t oldest_since_ns; /* 0: there is none */
};

struct call_figures {
    struct call_stats stats; /* monotonic */
    struct call_flight flight;
};

/* What views show of them; copied. */
void services_set_service_figures(struct services *s, size_t service, uint64_t now_ns,
                                  const struct call_figures *figures);
void services_set_upstream_figures(struct services *s, size_t upstream, uint64_t now_ns,
                                   const struct call_figures *figures);

/* What the upstream's fallback would offer if the breaker opened now. */
void services_standby(const struct services *s, size_t upstream, uint64_t now_ns,
                      struct fallback_choice *ret);

/* Monotonic totals, once a tick. */
void services_feed_service(struct services *s, size_t service, uint64_t now_ns,
                           const struct traffic *total);
void services_feed_upstream(struct services *s, size_t upstream, uint64_t now_ns,
                            const struct traffic *total, uint64_t slow_total);
/* What a client has tried so far, once a tick; see retry_storms_feed(). `client->upstream` is a
 * row.
 */
void services_feed_attempts(struct services *s, uint64_t now_ns,
                            const struct connect_client_key *client,
                            const struct connect_client *total);
/* See breaker_epoch(), breaker_call() and breaker_kernel_opened(). */
uint64_t services_epoch(const struct services *s, size_t upstream);
void services_call(struct services *s, size_t upstream, uint64_t now_ns, uint64_t epoch,
                   bool failed, bool slow, const char *address);
void services_kernel_opened(struct services *s, size_t upstream, uint64_t now_ns, uint64_t epoch,
                            const char *address);
/* What was read back from the kernel: `why` one line (copied) unless it is ENFORCEMENT_ACTIVE. */
void services_set_enforcement(struct services *s, size_t upstream, enum enforcement enforcement,
                              bool acts, const char *why);
/* Until when the kernel enforces anything at all; UINT64_MAX before the first call. */
void services_set_lease(struct services *s, uint64_t expires_ns);
/* What checks found of a fallback's endpoint, and when the last answer worth keeping came. */
void services_set_endpoint(struct services *s, size_t upstream, size_t endpoint,
                           enum endpoint_state state);
void services_set_cached(struct services *s, size_t upstream, uint64_t at_ns);

/* Moves on what time moves; returns when there is more, UINT64_MAX for never. */
uint64_t services_tick(struct services *s, uint64_t now_ns);

/* By hand. `name` NULL: all, where it is allowed. 0, -ENOENT, or -EPERM when the configured mode
 * decides. */
int services_reset(struct services *s, const char *name, uint64_t now_ns);
int services_open(struct services *s, const char *name, uint64_t now_ns);
int services_close(struct services *s, const char *name, uint64_t now_ns);

struct service_view {
    const struct config_service *config;
    const char *missing; /* why there are no figures, else NULL */
    struct performance_view performance;
    const struct call_figures *calls; /* NULL: calls are not followed */
    struct transport_view transport;
};

struct upstream_view {
    const struct config_upstream *config;
    const char *missing; /* why there are no figures, else NULL */
    struct performance_view performance;
    const struct call_figures *calls; /* NULL: calls are not followed */
    struct transport_view transport;
    struct breaker_view breaker;
    struct fallback_view fallback;
    const char *fallback_endpoint; /* in use; NULL: none */
    const struct retry_storms *retries;
    enum enforcement enforcement;
    const char *not_enforced; /* why, or why not wholly; NULL when it is */
    bool acts;                /* connects are refused or redirected, if not all of them */
};

size_t services_count(const struct services *s);
void services_service(const struct services *s, size_t service, struct service_view *ret);
size_t services_upstream_count(const struct services *s);
void services_upstream(const struct services *s, size_t upstream, uint64_t now_ns,
                       struct upstream_view *ret);
/* As breaker_history(), of its breaker. */
size_t services_breaker_history(const struct services *s, size_t upstream,
                                struct breaker_transition ret[BREAKER_HISTORY]);
/* SIZE_MAX: there is none of that name. */
size_t services_find_upstream(const struct services *s, const char *name);

#endif
