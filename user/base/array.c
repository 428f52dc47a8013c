#include "base/array.h"
#include <stdlib.h>
#include <string.h>

bool array_grow(void *items, size_t *capacity, size_t count, size_t size)
{
    void *memory, *grown;

    if (count <= *capacity)
        return true;
    /* The variable is a pointer of some type: copied, for no void pointer is an alias of it. */
    memcpy(&memory, items, sizeof(memory));
    grown = realloc(memory, 2 * count * size);
    if (!grown)
        return false;
    memcpy(items, &grown, sizeof(grown));
    *capacity = 2 * count;
    return true;
}
