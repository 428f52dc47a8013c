/* The performance of one service or upstream: its figures over a sliding window, what is usual, and
 * whether it got worse.
 *
 * The window (`window_size`) moves on in PERFORMANCE_SLICES steps. It is degraded when the share of
 * failed calls, the mean or the 95th percentile of latency is worse than usual by more than
 * `degradation_threshold`, and significantly so (PERFORMANCE_SIGMA), over at least
 * PERFORMANCE_CALLS_MIN calls, at two steps in a row; it has recovered when each of them was within
 * half of that threshold at two steps in a row, or when there are too few calls left to tell.
 *
 * What is usual is learnt from steps that leave the window and were not degraded; so the beginning
 * of a degradation is not learnt either. A degradation that lasts for a day is taken to be the new
 * usual: learning starts anew.
 *
 * False alarms: calls that are independent and always alike pass PERFORMANCE_SIGMA by chance in
 * 3e-7 of windows and tests, and only those that are worse by the threshold too are alarms: less
 * than one in five service-years at 300 s. Real calls depend on each other; against that stand the
 * threshold and the second step.
 */
#ifndef MOONWATCH_SERVICE_PERFORMANCE_H
#define MOONWATCH_SERVICE_PERFORMANCE_H

#include "model/reading.h"
#include "model/status.h"
#include "service/baseline.h"
#include <stdbool.h>

#define PERFORMANCE_SLICES 10
#define PERFORMANCE_SIGMA 5.0
#define PERFORMANCE_CALLS_MIN 50
/* Before so many calls nothing is usual. */
#define PERFORMANCE_BASELINE_CALLS 200
/* A rise from 1 to 2 failures in ten thousand calls is not worth anybody's sleep. */
#define PERFORMANCE_FAILED_POINTS_MIN 0.5
#define PERFORMANCE_ACCEPT_NS (24 * 3600 * 1000000000ULL)

struct performance;

/* `threshold` 0.2 is 20 % worse. `name` is copied. */
int performance_create(struct performance **ret, const char *name, double window_seconds,
                       double threshold, uint64_t now_ns);
void performance_destroy(struct performance *p);
/* After a reload. Another window begins empty; what is usual stays. */
void performance_configure(struct performance *p, double window_seconds, double threshold,
                           uint64_t now_ns);

/* Takes the monotonic totals at `now_ns` (CLOCK_MONOTONIC), once a tick. What was counted before
 * the first time is nobody's. */
void performance_feed(struct performance *p, uint64_t now_ns, const struct traffic *total);

/* What was learnt, to be kept over a restart. */
void performance_usual_get(const struct performance *p, struct baseline *ret);
void performance_usual_set(struct performance *p, const struct baseline *usual);

struct performance_usual {
    const char *missing; /* why nothing is known to be usual; else NULL */
    double calls;        /* learnt, with weights */
    struct reading failed_percent, mean_seconds, p50_seconds, p95_seconds;
};

struct performance_view {
    const char *name;
    double window_seconds;  /* covered; less than configured at first */
    uint64_t calls, failed; /* in the window */
    uint64_t calls_total, failed_total;
    struct reading calls_per_second, failed_percent;
    struct reading mean_seconds, p50_seconds, p90_seconds, p95_seconds, p99_seconds, max_seconds;
    struct performance_usual usual;
    bool degraded;
    uint64_t degraded_since_ns; /* 0: it is not */
    double worse_percent;       /* than usual, of what got worse most; NaN: not judged */
    const char *unjudged;       /* why not */
    char reason[REASON_BYTES];  /* "p95 of api 48 ms, 2.1x its usual 23 ms over 1240 calls"; "" */
};

void performance_view(const struct performance *p, struct performance_view *ret);

#endif
