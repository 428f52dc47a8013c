/* /metrics: every figure of the agent as Prometheus text 0.0.4 or OpenMetrics 1.0.
 *
 * Names are `moonwatch_*` in base units: seconds, bytes, and `_ratio` 0..1 for shares (the JSON
 * routes say `_percent` 0..100). Counters end in `_total`; latencies are histograms with `le` in
 * seconds. An unknown reading has no sample, never 0. Every list is bounded: what does not fit is
 * in the row `other`, or left out, the least first, and counted.
 */
#ifndef MOONWATCH_FACTS_METRICS_H
#define MOONWATCH_FACTS_METRICS_H

#include "base/text.h"
#include "facts/facts.h"

/* What has to be remembered between two pages: which cgroups have a row of their own, what `other`
 * has counted (a counter may not go back), the agent's own /proc files, what the last page took. */
struct metrics;

int metrics_create(struct metrics **ret, const struct host *host);
void metrics_destroy(struct metrics *metrics);

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Appends the page to `out`, of what is not configured `series_max` series (0: the default).
 * Returns 0, or -ENOMEM when it did not fit (`out->failed`). */
int metrics_render(struct metrics *metrics, struct text *out, const struct facts *facts,
                   size_t series_max, bool openmetrics);

struct exposition_sink;

/* The same samples for somebody who wants some of them. */
void metrics_walk(struct metrics *metrics, const struct exposition_sink *sink,
                  const struct facts *facts);

#endif
