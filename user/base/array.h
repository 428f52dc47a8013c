/* Memory that grows in steps large enough that adding one by one costs little. */
#ifndef MOONWATCH_BASE_ARRAY_H
#define MOONWATCH_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Room for `count` items in `items`, a pointer variable (from malloc, or NULL with `capacity` 0);
 * what was there stays. False, and nothing changed, when memory ran out. */
#define ARRAY_GROW(items, capacity, count)                                                         \
    array_grow(&(items), &(capacity), (count), sizeof(__typeof__(*(items))))

/* The same where the size of an item is known at run time only: `items` is where the pointer is. */
bool array_grow(void *items, size_t *capacity, size_t count, size_t size);

#endif
