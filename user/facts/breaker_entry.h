/* Circuit breakers as rows. */
#ifndef MOONWATCH_FACTS_BREAKER_ENTRY_H
#define MOONWATCH_FACTS_BREAKER_ENTRY_H

#include "facts/facts.h"
#include "facts/field.h"
#include "service/service.h"

extern const struct field_table breaker_table, transition_table;

#define BREAKER_ADDRESSES_SHOWN 16
#define BREAKER_STORMS_SHOWN 8

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
    const char *no_transition; /* why there is no last one, else NULL */
    struct transition_entry last;
    const char *fallback, *fallback_endpoint, *fallback_refusal;
    uint64_t fallback_switches_total, switches_total[FALLBACK_OFFER_COUNT];
    size_t storm_count;
    uint64_t storming; /* clients in all */
    struct storm_entry storms[BREAKER_STORMS_SHOWN];
    uint64_t storms_total;
};

/* One breaker with what it did: as it is now, not as of the last tick. */
struct breaker_detail {
    uint64_t realtime_ns; /* when that is */
    struct breaker_entry entry;
    size_t history_count;
    struct breaker_transition transitions[BREAKER_HISTORY]; /* the newest first, as the next */
    struct transition_entry history[BREAKER_HISTORY];
};

/* Parts of both point to others of theirs: they must not move. */
void breaker_entry_fill(const struct facts *facts, const struct upstream_view *view,
                        struct breaker_entry *ret);
/* False: there is no such upstream. */
bool breaker_detail_take(const struct facts *facts, const char *name, struct breaker_detail *ret);
/* Why there are none; NULL when there are. */
const char *breaker_entries_missing(const struct facts *facts);

#endif
