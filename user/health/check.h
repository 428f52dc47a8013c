/* One judged reading as a pure state machine: levels, duration, hysteresis, unknown.
 *
 * Per level a latch: it is raised once the value was at or above the level for the level's
 * time, and cleared once it was below `level * (1 - margin)` for `clear_ns`: the threshold depends
 * on the status, as Netdata's `($status >= $WARNING) ? (75) : (85)`, so a value that swings around
 * its level does not flap. A missing value neither raises nor clears; after `grace_ns` of them the
 * status is unknown, and the latches stay: a value that comes back as bad as it went is bad at
 * once.
 */
#ifndef MOONWATCH_HEALTH_CHECK_H
#define MOONWATCH_HEALTH_CHECK_H

#include "base/clock.h"
#include "model/reading.h"
#include "model/status.h"

/* A burst shorter than half a minute is what CPUs and memory are there for; a minute of calm before
 * the all-clear covers the pause between two bursts of a periodic load. */
#define CHECK_RAISE_NS (30 * NS_PER_SECOND)
#define CHECK_CLEAR_NS (60 * NS_PER_SECOND)
/* Some ticks without a value happen (a remount, a probe between shed and retry). */
#define CHECK_GRACE_NS (10 * NS_PER_SECOND)

struct check_rule {
    double warning, critical; /* NaN: no such level */
    double margin;            /* share of the level, 0..1 */
    uint64_t raise_ns;        /* of the warning level */
    uint64_t critical_raise_ns, clear_ns, grace_ns;
    uint64_t average_ns; /* time constant of the exponential average that is judged; 0: none */
};

struct check_latch {
    bool raised;
    bool counting;     /* towards a change of `raised` */
    uint64_t since_ns; /* when counting: since when */
};

/* All zero is a check that was never fed. */
struct check {
    enum status status;
    uint64_t since_ns;   /* of the last change of status */
    double value;        /* the last known one that was judged (the average, if averaged) */
    uint64_t value_ns;   /* when */
    bool known_once;     /* some value was known */
    bool missing;        /* the last value was not */
    uint64_t missing_ns; /* since when */
    bool fed;
    struct check_latch warning, critical;
};

/* Feeds the value at `now_ns` (not before the last one) and returns the status. */
enum status check_feed(struct check *check, const struct check_rule *rule, struct reading value,
                       uint64_t now_ns);

/* Where the level's latch clears. */
double check_clear_level(const struct check_rule *rule, double level);

#endif
