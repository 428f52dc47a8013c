/* What callers get while an upstream's breaker is open: a pure choice.
 *
 *   alternative  the first endpoint of the list that is up, else the first of which nothing is
 *                known; kept as long as it is not down, though a better one comes back, so that
 *                callers are not moved about; back to the upstream itself when its breaker closes
 *   cached       the last good answer, until it is older than `cache_ttl`
 *   reduced      the configured answer
 *
 * A fallback that has nothing to offer says why, and connects are refused.
 */
#ifndef MOONWATCH_SERVICE_FALLBACK_H
#define MOONWATCH_SERVICE_FALLBACK_H

#include "config/services.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fallback_offer {
    FALLBACK_OFFERS_PRIMARY, /* the breaker is closed: the upstream itself */
    FALLBACK_OFFERS_ENDPOINT,
    FALLBACK_OFFERS_CACHED,
    FALLBACK_OFFERS_REDUCED,
    FALLBACK_OFFERS_NOTHING,
    FALLBACK_OFFER_COUNT,
};

extern const char *const fallback_offer_names[]; /* "primary" ..., NULL */
const char *fallback_offer_name(enum fallback_offer offer);

enum endpoint_state { ENDPOINT_UNTRIED, ENDPOINT_UP, ENDPOINT_DOWN };

struct fallback_choice {
    enum fallback_offer offer;
    size_t endpoint;     /* index in `endpoints`, of FALLBACK_OFFERS_ENDPOINT */
    const char *refusal; /* why there is nothing, of FALLBACK_OFFERS_NOTHING; static */
};

#define FALLBACK_ENDPOINT_BYTES 96

struct fallback_switch {
    uint64_t at_ns;
    struct fallback_choice from, to;
    char endpoint[FALLBACK_ENDPOINT_BYTES]; /* switched to; "" when it is none */
};

/* "from the upstream to 10.0.0.2:80", "from an alternative to nothing: every endpoint is down". */
void fallback_say(const struct fallback_switch *s, char *out, size_t size);

struct fallback_ops {
    void (*switched)(void *ctx, const struct fallback_switch *s); /* may be NULL */
    void *ctx;
};

struct fallback;

/* `rules` is borrowed until fallback_configure(); one that is not `given` never offers anything. */
int fallback_create(struct fallback **ret, const struct config_fallback *rules,
                    const struct fallback_ops *ops);
void fallback_destroy(struct fallback *f);
/* After a reload: what was chosen from another list is chosen anew at the next tick. */
void fallback_configure(struct fallback *f, const struct config_fallback *rules);

struct fallback_input {
    bool open;                            /* connects are not let through, but for probes */
    const enum endpoint_state *endpoints; /* one per endpoint; NULL: nothing is known */
    uint64_t cached_ns;                   /* when the last good answer came; 0: never */
};

/* Chooses. `now_ns` is CLOCK_MONOTONIC. */
void fallback_tick(struct fallback *f, uint64_t now_ns, const struct fallback_input *in,
                   struct fallback_choice *ret);

/* What would be offered if the breaker opened now: it is given to the kernel beforehand, so that
 * the first connect after the trip is redirected already. */
void fallback_standby(const struct fallback *f, uint64_t now_ns, const struct fallback_input *in,
                      struct fallback_choice *ret);

#define FALLBACK_HISTORY 8

struct fallback_view {
    struct fallback_choice choice;
    uint64_t switches_total[FALLBACK_OFFER_COUNT]; /* by where to */
    size_t history_count;
    const struct fallback_switch *history[FALLBACK_HISTORY]; /* [0] is the newest */
};

void fallback_view(const struct fallback *f, struct fallback_view *ret);

#endif
