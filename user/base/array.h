/* Memory that grows in steps large enough that adding one by one costs little. */
#ifndef MOONWATCH_BASE_ARRAY_H
#define MOONWATCH_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Room for `count` items of `size` bytes in `*memory` (from malloc, or NULL with `*capacity` 0);
 * what was there stays. False, and nothing changed, when memory ran out. */
bool array_grow(void **memory, size_t *capacity, size_t count, size_t size);

#endif
