#include "base/array.h"
#include <stdlib.h>
#include <string.h>

bool array_grow(void *items, size_t *capacity, size_t count, size_t size)
{
    void *memory;

    if (count <= *capacity)
        return true;
    /* The variable is a pointer of some type: copied, for no void pointer is an alias of it. */
    memcpy(&memory, items, sizeof(memory));
    memory = realloc(memory, 2 * count * size);
    if (!memory)
        return false;
    memcpy(items, &memory, sizeof(memory));
    *capacity = 2 * count;
    return true;
}
