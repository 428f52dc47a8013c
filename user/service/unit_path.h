/* Where systemd puts the cgroups of the system's units. */
#ifndef MOONWATCH_SERVICE_UNIT_PATH_H
#define MOONWATCH_SERVICE_UNIT_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The `index`-th path, from 0, at which a unit may be that says nothing of its slice. False behind
 * the last one. */
bool unit_path(const char *unit, size_t index, char out[PATH_MAX]);

#endif
