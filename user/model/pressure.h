/* Pressure stall information: share of time in which some or all tasks stood still for a resource.
 * Source: Documentation/accounting/psi.rst. */
#ifndef MOONWATCH_MODEL_PRESSURE_H
#define MOONWATCH_MODEL_PRESSURE_H

#include "model/reading.h"

enum pressure_resource { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_RESOURCE_COUNT };

const char *pressure_resource_name(enum pressure_resource r); /* "cpu" ... */

struct pressure_line {
    struct reading avg10_percent, avg60_percent, avg300_percent;
    struct reading seconds_total;
};

struct pressure {
    struct pressure_line some, full;
    double triggers_total; /* times the kernel's trigger fired */
};

struct pressure_snapshot {
    const char *missing;
    const char *triggers_missing; /* why no trigger is armed, else NULL */
    struct pressure resource[PRESSURE_RESOURCE_COUNT];
};

#endif
