/* Writes metric families as Prometheus text 0.0.4 or OpenMetrics 1.0.
 *
 * The formats differ in what the header of a counter or an info is called (the family's name in
 * OpenMetrics, the sample's name in the older one), in `# UNIT` lines and in the `# EOF` at the
 * end. Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics
 * 1.0 specification.
 */
#ifndef MOONWATCH_FACTS_EXPOSITION_H
#define MOONWATCH_FACTS_EXPOSITION_H

#include "abi/slots.h"
#include "base/text.h"
#include "model/metric.h"
#include "model/reading.h"
#include "model/sample.h"

/* Takes samples instead of a text. */
struct exposition_sink {
    /* Whether samples of the family are wanted. */
    bool (*wants)(void *ctx, const struct metric_family *family);
    /* `name` with its suffix; of a histogram the sum and the count. Valid during the call. */
    void (*sample)(void *ctx, const char *name, const struct label *labels, size_t label_count,
                   double value);
    void *ctx;
};

struct exposition {
    struct text *out; /* NULL: there is a sink */
    const struct exposition_sink *sink;
    bool wanted; /* the family, by the sink */
    bool openmetrics;
    const struct metric_family *family;
    size_t series; /* written so far */
    bool headed;   /* the family's header is written, which its first sample does */
};

void exposition_init(struct exposition *e, struct text *out, bool openmetrics);
/* `sink` is borrowed. */
void exposition_init_sink(struct exposition *e, const struct exposition_sink *sink);
/* The samples that follow are of `family`, which is declared (see model/metric.h). One family is
 * written in one go. */
void exposition_family(struct exposition *e, const struct metric_family *family);
/* Whether samples of the family go anywhere. */
static inline bool exposition_wanted(const struct exposition *e)
{
    return !e->sink || e->wanted;
}
void exposition_sample(struct exposition *e, const struct label *labels, size_t label_count,
                       double value);
void exposition_count(struct exposition *e, const struct label *labels, size_t label_count,
                      uint64_t value);
/* value / divisor; no sample when the reading is unknown. */
void exposition_reading(struct exposition *e, const struct label *labels, size_t label_count,
                        struct reading value, double divisor);
/* Cumulative buckets of every `step`-th bound, in seconds. _count is the sum of the slots, so the
 * buckets agree with it even when an event came between the reads of the two. */
void exposition_histogram(struct exposition *e, const struct label *labels, size_t label_count,
                          const struct latency *latency, unsigned step);
static inline size_t exposition_histogram_series(unsigned step)
{
    /* The finite bounds; then +Inf, sum and count. */
    return (SLOT_COUNT - 2) / step + 1 + 3;
}
void exposition_end(struct exposition *e);

/* A sample of a family that has just one. */
static inline void exposition_single(struct exposition *e, const struct metric_family *family,
                                     struct reading value, double divisor)
{
    exposition_family(e, family);
    exposition_reading(e, NULL, 0, value, divisor);
}

/* Declares and begins a family that is a constant of its own. */
#define METRIC_FAMILY(e, family_, labels_, need_)                                                  \
    do {                                                                                           \
        METRIC_DECLARE(&(family_), 0, 1, labels_, need_);                                          \
        exposition_family((e), &(family_));                                                        \
    } while (0)

#define LABELS(...)                                                                                \
    (const struct label[]){__VA_ARGS__},                                                           \
        sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)

#endif
