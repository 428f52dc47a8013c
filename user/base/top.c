#include "base/top.h"
#include <string.h>

void top_offer(void *list, size_t *count, size_t max, size_t size, const void *item,
               top_before_fn *before)
{
    char *items = list;
    size_t at = *count;

    while (at > 0 && before(item, items + (at - 1) * size))
        at--;
    if (at == max)
        return;
    if (*count < max)
        ++*count;
    memmove(items + (at + 1) * size, items + at * size, (*count - 1 - at) * size);
    memcpy(items + at * size, item, size);
}
