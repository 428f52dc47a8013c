/* Circuit breakers over HTTP: what they are, and what an operator does to them. */
#ifndef MOONWATCH_HTTP_BREAKERS_H
#define MOONWATCH_HTTP_BREAKERS_H

#include "http/body.h"
#include "service/service.h"

extern const struct field_table breaker_table, breakers_table, breaker_detail_table,
    breaker_reset_table;

#define BREAKER_ADDRESSES_SHOWN 16
#define BREAKER_STORMS_SHOWN 8
#define ROUTE_NAME_BYTES 64 /* of a name in an error */

struct transition_entry {
    const char *from, *to, *cause;
    const struct breaker_transition *transition;
    uint64_t at_realtime_ns, retry_realtime_ns;
};

/* A client that storms. */
struct storm_entry {
    struct retry_client_view client;
    const char *cgroup; /* NULL: unknown */
    uint64_t since_realtime_ns;
};

struct breaker_entry {
    const char *name, *state, *mode, *not_enforced;
    bool enforced;
    size_t address_count;
    const char *addresses[BREAKER_ADDRESSES_SHOWN];
    uint64_t since_realtime_ns, retry_realtime_ns;
    struct breaker_view breaker;
    const char *no_transition;                        /* why there is no last one, else NULL */
    struct transition_entry history[BREAKER_HISTORY]; /* the newest first */
    const char *fallback, *fallback_endpoint, *fallback_refusal;
    uint64_t fallback_switches_total;
    size_t storm_count;
    struct storm_entry storms[BREAKER_STORMS_SHOWN];
    uint64_t storms_total;
};

/* The bodies. */
struct breakers_body {
    uint64_t realtime_ns;
    const char *missing; /* why there are none, else NULL */
    size_t count;
    const struct breaker_entry *entries;
};

struct breaker_detail {
    uint64_t realtime_ns;
    const struct breaker_entry *entry;
    size_t history_count;
    const struct transition_entry *history;
};

/* Of all upstreams, from malloc; NULL with `*ret_count` 0 when there are none. -ENOMEM. */
int breakers_gather(const struct body_env *env, struct breaker_entry **ret, size_t *ret_count);
/* Why there are none; NULL when there are. */
const char *breakers_missing(const struct body_env *env, size_t count);
/* When, for people, something was that has this monotonic time; 0 stays 0. */
uint64_t realtime_of(const struct body_env *env, uint64_t monotonic_ns);

int body_breakers(const struct body_env *env, struct body *ret);
int body_breaker(const struct body_env *env, struct body *ret);
int body_breaker_reset(const struct body_env *env, struct body *ret);
int body_breaker_open(const struct body_env *env, struct body *ret);
int body_breaker_close(const struct body_env *env, struct body *ret);

#endif
