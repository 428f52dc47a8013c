/* A value that may be unknown: a figure, or the reason why there is none. Never 0 for unknown. */
#ifndef MOONWATCH_MODEL_READING_H
#define MOONWATCH_MODEL_READING_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a reading was, at the time of a sample in which it is unknown. */
struct last_value {
    double value;
    uint64_t age_ns;
};

struct reading {
    double value;        /* NaN when unknown */
    const char *missing; /* NULL when known; else why not, static or owned by the collector */
    const struct last_value *last; /* of an unknown one; NULL: not known. The collectors' */
};

static inline struct reading reading_of(double value)
{
    return (struct reading){.value = value};
}

static inline struct reading reading_missing(const char *why)
{
    return (struct reading){.value = NAN, .missing = why};
}

static inline bool reading_known(struct reading r)
{
    return r.missing == NULL;
}

#endif
