/* Circuit breakers over HTTP: what they are, and what an operator does to them. */
#ifndef MOONWATCH_HTTP_BREAKERS_H
#define MOONWATCH_HTTP_BREAKERS_H

#include "facts/breaker_entry.h"
#include "http/body.h"

extern const struct field_table breakers_table, breaker_detail_table, breaker_reset_table;

#define ROUTE_NAME_BYTES 64 /* of a name in an error */

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

int body_breakers(const struct body_env *env, struct body *ret);
int body_breaker(const struct body_env *env, struct body *ret);
int body_breaker_reset(const struct body_env *env, struct body *ret);
int body_breaker_open(const struct body_env *env, struct body *ret);
int body_breaker_close(const struct body_env *env, struct body *ret);

#endif
