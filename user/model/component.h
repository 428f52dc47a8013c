/* The parts that the host's health consists of. */
#ifndef MOONWATCH_MODEL_COMPONENT_H
#define MOONWATCH_MODEL_COMPONENT_H

enum component {
    COMPONENT_SCHEDULER,
    COMPONENT_RESOURCES,
    COMPONENT_PERFORMANCE,
    COMPONENT_PRIORITY,
    COMPONENT_COUNT,
};

const char *component_name(enum component c); /* "scheduler" ... */

#endif
