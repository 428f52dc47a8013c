/* One upstream: its breaker, fallback and performance together. Inside this layer only. */
#ifndef MOONWATCH_SERVICE_UPSTREAM_H
#define MOONWATCH_SERVICE_UPSTREAM_H

#include "service/service.h"

struct upstream {
    const struct services_ops *ops;
    const struct config_upstream *config;
    char *name;
    size_t row;
    bool adopted; /* the row was left by an agent before, for this very upstream */
    struct breaker *breaker;
    struct fallback *fallback;
    struct performance *performance;
    struct retry_storms *retries;
    struct calls fed;       /* totals */
    uint64_t counted_early; /* calls that were slow and had not ended */
    bool is_fed;
    bool counted; /* `figures` are there */
    struct call_figures figures;
    struct transport transport;
    enum enforcement enforcement; /* of a mode that enforces, as it was read back */
    bool acts;
    char why[ENFORCEMENT_WHY_BYTES];
    enum enforcement said; /* and as it was told last; ENFORCEMENT_PENDING: never */
    bool said_acts;
    char said_why[ENFORCEMENT_WHY_BYTES];
    const struct config_upstream *next_config; /* staged */
    enum endpoint_state *next_endpoints;
    size_t endpoint_count;
    enum endpoint_state *endpoints;
    uint64_t cached_ns;
};

/* `ops` is borrowed. It is to be placed, in row `row_index`, before anything else. */
int upstream_create(struct upstream **ret, const struct config *config,
                    const struct config_upstream *of, const struct services_ops *ops,
                    uint64_t now_ns);
void upstream_place(struct upstream *u, size_t row_index, struct breaker_row *row);
void upstream_destroy(struct upstream *u);
void upstream_set_enforcement(struct upstream *u, enum enforcement enforcement, bool acts,
                              const char *why);
/* As services_stage() and so on. */
int upstream_stage(struct upstream *u, const struct config *config,
                   const struct config_upstream *of);
void upstream_unstage(struct upstream *u);
void upstream_commit(struct upstream *u, const struct config *config, uint64_t now_ns);
void upstream_tell(struct upstream *u, uint64_t now_ns);
void upstream_feed(struct upstream *u, uint64_t now_ns, const struct traffic *total,
                   uint64_t slow_total);
void upstream_tick(struct upstream *u, uint64_t now_ns);
void upstream_standby(const struct upstream *u, uint64_t now_ns, struct fallback_choice *ret);

#endif
