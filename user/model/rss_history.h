/* The resident set of one process over about five minutes, in a few samples.
 *
 * Samples are 5 s apart at first, so that a process which leaks fast has a trend soon; whenever the
 * samples are full every other one goes and the distance doubles, up to 20 s, from where on the
 * oldest gives way: 5 minutes and 20 seconds.
 */
#ifndef MOONWATCH_MODEL_RSS_HISTORY_H
#define MOONWATCH_MODEL_RSS_HISTORY_H

#include "model/reading.h"
#include <stdint.h>

#define RSS_SAMPLES 16

struct rss_sample {
    uint32_t time_ms; /* wraps; only differences count */
    uint32_t rss_kib; /* up to 4 TiB */
};

struct rss_history {
    uint8_t count;
    uint8_t doublings;
    struct rss_sample samples[RSS_SAMPLES]; /* oldest first */
};

void rss_history_add(struct rss_history *history, uint64_t now_ns, uint64_t rss_bytes);

/* Slope of the least-squares line through the samples and the present value, bytes per second. */
struct reading rss_history_trend(const struct rss_history *history, uint64_t now_ns,
                                 uint64_t rss_bytes);

#endif
