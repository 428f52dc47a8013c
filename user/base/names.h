/* The names of an enum: one table, in the order of the values, ended by NULL. */
#ifndef MOONWATCH_BASE_NAMES_H
#define MOONWATCH_BASE_NAMES_H

#include <stddef.h>

#define NAMES_OF(names, count)                                                                     \
    _Static_assert(sizeof(names) / sizeof((names)[0]) == (size_t)(count) + 1,                      \
                   "each value has a name, and NULL ends them")

static inline const char *name_at(const char *const *names, size_t count, unsigned value)
{
    return value < count ? names[value] : "unknown";
}

#endif
