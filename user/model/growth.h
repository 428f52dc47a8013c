/* Is a filling level really growing, and when does it reach its limit? From one point a minute over
 * the last hour.
 *
 * Growing means all of this:
 *   - the Mann-Kendall test finds an upward trend (H. B. Mann, Econometrica 13, 1945), at 3 sigma;
 *   - the Theil-Sen slope, the median of the slopes of all pairs (P. K. Sen, J. Am. Stat. Assoc.
 * 63, 1968), is positive: up to 29 % of the points may be wild without moving it far;
 *   - the last third of the window grew too: one large copy is a step, not a trend;
 *   - no fall inside the window is larger than half of what was gained: in a sawtooth (log
 * rotation, compaction) the falls are as large as the gain;
 *   - the level is above every level seen in the two days before the window, by more than a tenth
 * of what was gained: a level that was cleared once may climb back to where it was before that says
 * anything, and a nightly job's output is a little larger every night.
 */
#ifndef MOONWATCH_MODEL_GROWTH_H
#define MOONWATCH_MODEL_GROWTH_H

#include "model/reading.h"
#include <stddef.h>
#include <stdint.h>

#define GROWTH_POINTS 60
#define GROWTH_EVERY_NS 60000000000ULL
/* Two nights and some hours: what a daily job left behind is known when it comes again, late. */
#define GROWTH_PEAK_HOURS 54

/* Zeroed: no points yet. */
struct growth {
    size_t count;
    struct {
        double seconds; /* monotonic */
        double level;
    } points[GROWTH_POINTS]; /* oldest first */
    struct {
        uint64_t hour; /* since the monotonic clock's zero */
        double level;
    } peaks[GROWTH_PEAK_HOURS]; /* of the points that left the window, by hour % GROWTH_PEAK_HOURS
                                 */
    uint64_t next_ns;
    struct reading per_second; /* the slope, valid once there is a point */
};

/* Takes a level; one a minute is kept, the others are ignored. */
void growth_add(struct growth *g, uint64_t now_ns, double level);

/* Seconds until `room` more is used up; missing, with the reason, when there is no growth or when
 * it takes more than a week: an hour says nothing about longer. */
struct reading growth_seconds_until(const struct growth *g, double room);

#endif
