/* Circuit breakers over HTTP: what they are, and what an operator does to them. */
#ifndef MOONWATCH_HTTP_BREAKERS_H
#define MOONWATCH_HTTP_BREAKERS_H

#include "facts/breaker_entry.h"
#include "http/routes.h"

extern const struct field_table breakers_table, breaker_detail_table, breaker_reset_table;

#define ROUTE_NAME_BYTES 64 /* of a name in an error */

/* The bodies. */
struct breakers_body {
    uint64_t realtime_ns;
    const char *missing; /* why there are none, else NULL */
    size_t count;
    const struct breaker_entry *entries;
};

struct breaker_body {
    uint64_t realtime_ns;
    const struct breaker_entry *entry;
    size_t history_count;
    const struct transition_entry *history;
};

#endif
