/* Quantiles of the histograms that the kernel side counts (include/abi/slots.h). */
#ifndef MOONWATCH_MODEL_HISTOGRAM_H
#define MOONWATCH_MODEL_HISTOGRAM_H

#include "abi/slots.h"
#include "model/reading.h"

/* ret += a */
void latency_add(struct latency *ret, const struct latency *a);
/* ret = now - before, slot by slot; a counter that went back (a fresh map) counts from 0. */
void latency_delta(struct latency *ret, const struct latency *now, const struct latency *before);

/* The q-quantile (0..1) in nanoseconds, linear inside its slot as Prometheus' histogram_quantile();
 * missing when the histogram is empty. At most a factor 2 from the true value. */
struct reading latency_quantile_ns(const struct latency *l, double q);

/* The upper bound of the highest slot in use: the maximum is at most this. */
struct reading latency_max_ns(const struct latency *l);

/* The same of the finer ones: a quantile is at most a quarter from the true value. */
void fine_latency_add(struct fine_latency *ret, const struct fine_latency *a);
void fine_latency_delta(struct fine_latency *ret, const struct fine_latency *now,
                        const struct fine_latency *before);
struct reading fine_latency_quantile_ns(const struct fine_latency *l, double q);
struct reading fine_latency_max_ns(const struct fine_latency *l);

#endif
