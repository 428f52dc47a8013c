/* One series of a metric at one moment, as in /metrics. */
#ifndef MOONWATCH_MODEL_SAMPLE_H
#define MOONWATCH_MODEL_SAMPLE_H

#include <stddef.h>

struct label {
    const char *name, *value; /* a NULL value counts as "" */
};

struct sample {
    const char *metric;
    const struct label *labels;
    size_t label_count;
    double value; /* NaN: not known at the moment */
};

#endif
