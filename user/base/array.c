#include "base/array.h"
#include <stdlib.h>

bool array_grow(void **memory, size_t *capacity, size_t count, size_t size)
{
    void *grown;

    if (count <= *capacity)
        return true;
    grown = realloc(*memory, 2 * count * size);
    if (!grown)
        return false;
    *memory = grown;
    *capacity = 2 * count;
    return true;
}
