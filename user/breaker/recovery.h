/* How long an open breaker stays open: growing with each opening, forgotten with time.
 *
 * The first time it is `base_ns`. Each opening multiplies the next one, up to `max_ns`; each
 * `base_ns` spent CLOSED halves it again, down to `base_ns`: an upstream that falls over soon after
 * it was let back in is left alone longer, as Envoy's outlier detection does with its ejections,
 * and one good minute does not wipe out a bad hour. What has grown gets equal jitter, a uniform
 * draw from its upper half (M. Brooker, "Exponential Backoff And Jitter", 2015), so that hosts
 * which lost the same upstream together do not come back together; never less than `base_ns`, which
 * is what the operator asked for.
 */
#ifndef MOONWATCH_BREAKER_RECOVERY_H
#define MOONWATCH_BREAKER_RECOVERY_H

#include <stdint.h>

struct recovery_rule {
    uint64_t base_ns, max_ns; /* 0 < base_ns <= max_ns */
    double multiplier;        /* at least 1 */
};

/* Zeroed: never opened. */
struct recovery {
    uint64_t nominal_ns; /* of the last opening, before jitter */
    uint64_t next_ns;    /* of the next one if it came at once; 0: base_ns */
    uint64_t closed_ns;  /* since when it has been CLOSED; 0: it is not */
};

void recovery_closed(struct recovery *r, uint64_t now_ns);

/* What the next opening would be at `now_ns`, before jitter. */
uint64_t recovery_next_ns(const struct recovery *r, const struct recovery_rule *rule,
                          uint64_t now_ns);

/* Opens: returns how long for. `draw` is uniform in [0, 1). */
uint64_t recovery_open(struct recovery *r, const struct recovery_rule *rule, uint64_t now_ns,
                       double draw);

/* Opens again after nothing was learnt: as long as the last time, without growth. */
uint64_t recovery_reopen(struct recovery *r, const struct recovery_rule *rule, double draw);

#endif
