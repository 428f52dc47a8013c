/* The known name that a misspelt one is most like. */
#ifndef MOONWATCH_BASE_NEAREST_H
#define MOONWATCH_BASE_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Longer names are near to none. */
#define NEAREST_BYTES_MAX 64

struct nearest {
    const char *name; /* borrowed */
    size_t apart;     /* of the best so far */
};

struct nearest nearest_to(const char *name);
/* Whether this one is near, and nearer than all before. */
bool nearest_offer(struct nearest *nearest, const char *known);

#endif
