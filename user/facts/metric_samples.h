/* The metrics page as samples for the alert rules: what is alerted on is what /metrics shows, by
 * the same names and labels. */
#ifndef MOONWATCH_FACTS_METRIC_SAMPLES_H
#define MOONWATCH_FACTS_METRIC_SAMPLES_H

#include "alert/input.h"
#include "facts/metrics.h"

struct metric_samples;

/* More of one tick are left out: the page's labels are bounded, and far below it. */
#define METRIC_SAMPLES_MAX 16384

int metric_samples_create(struct metric_samples **ret, const struct host *host);
void metric_samples_destroy(struct metric_samples *s); /* NULL is fine */

/* The samples of the metrics that `wants` says, once a tick; of a histogram its _sum and _count.
 * `ret` is valid until the next call. -ENOMEM. */
int metric_samples_take(struct metric_samples *s, const struct facts *facts,
                        bool (*wants)(void *ctx, const char *metric), void *ctx,
                        const struct sample **ret, size_t *ret_count);

#endif
