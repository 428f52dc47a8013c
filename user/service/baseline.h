/* What is usual: a distribution that forgets slowly, and the tests that tell worse from unlucky.
 *
 * The calls learnt lose half of their weight in BASELINE_HALF_LIFE_NS. So a change of a few percent
 * a day is followed, and one of a percent an hour runs ahead of it. The night's few calls weigh
 * little and the day's many weigh much.
 *
 * The tests are one-sided z tests of two samples: of shares with the pooled variance (NIST/SEMATECH
 * e-Handbook of Statistical Methods, 7.3.3), of means with each sample's own (B. L. Welch,
 * Biometrika 34, 1947), corrected for skewness by the first term of E. A. Cornish and R. A. Fisher
 * (Rev. Inst. Int. Stat. 5, 1938): three failures where one is usual, or one call in the far tail,
 * are less rare than a normal distribution has it.
 */
#ifndef MOONWATCH_SERVICE_BASELINE_H
#define MOONWATCH_SERVICE_BASELINE_H

#include "abi/slots.h"
#include "model/reading.h"
#include <stdint.h>

#define BASELINE_HALF_LIFE_NS (24 * 3600 * 1000000000ULL)

/* What was counted of a service's or upstream's calls: monotonic totals, or the difference of two.
 */
struct traffic {
    struct fine_latency latency; /* of the calls that were answered */
    uint64_t calls, failed;
};

void traffic_add(struct traffic *ret, const struct traffic *a);
/* A total that went back (fresh maps) counts from 0. */
void traffic_delta(struct traffic *ret, const struct traffic *now, const struct traffic *before);

/* A sample with weights. Zeroed: empty. */
struct baseline {
    double calls, failed;
    double answered, sum_ns;
    double slots[FINE_SLOT_COUNT];
};

/* Ages what was learnt by `elapsed_ns`, then takes `recent`. */
void baseline_learn(struct baseline *b, const struct traffic *recent, uint64_t elapsed_ns);
void baseline_of(struct baseline *ret, const struct traffic *t);

double baseline_failed_share(const struct baseline *b); /* NaN: no calls */
double baseline_mean_ns(const struct baseline *b);      /* NaN: none was answered */
double baseline_quantile_ns(const struct baseline *b, double q);

/* How many standard deviations of a normal distribution `recent` is above `usual`; 0 when it cannot
 * be told. */
double baseline_z_failed(const struct baseline *usual, const struct baseline *recent);
double baseline_z_mean(const struct baseline *usual, const struct baseline *recent);
/* Of the share of calls above the slot of the usual q-quantile, or above the slot below it,
 * whichever says more: a histogram counts exactly at the bounds of its slots only. */
double baseline_z_tail(const struct baseline *usual, const struct baseline *recent, double q);

#endif
