/* A name in a field of fixed size that still names one thing only. */
#ifndef MOONWATCH_BASE_FITTED_NAME_H
#define MOONWATCH_BASE_FITTED_NAME_H

#include <stddef.h>

/* Copies `name`; what is too long is cut, between two UTF-8 characters, and ends in "~" and a hash
 * of the whole for which nobody finds another name. `size` is 48 at least. */
void fitted_name(const char *name, char *out, size_t size);

#endif
