#include "base/places.h"
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 16

bool places_reset(struct places *places, size_t count)
{
    size_t slots = SLOTS_MIN;
    uint32_t *grown;

    /* Half full at most. */
    while (slots < 2 * count)
        slots *= 2;
    if (places->slots && slots <= places->mask + 1) {
        memset(places->slots, 0, (places->mask + 1) * sizeof(*places->slots));
        return true;
    }
    grown = calloc(slots, sizeof(*grown));
    if (!grown)
        return false;
    free(places->slots);
    *places = (struct places){.slots = grown, .mask = slots - 1};
    return true;
}

void places_free(struct places *places)
{
    free(places->slots);
    *places = (struct places){.slots = NULL};
}

size_t places_begin(const struct places *places, uint64_t hash)
{
    /* The high bits of the product depend on all of the hash, which may be a plain number. */
    return (size_t)(hash * 0x9e3779b97f4a7c15ULL >> 32) & places->mask;
}

size_t places_next(const struct places *places, size_t *step)
{
    uint32_t slot = places->slots[*step];

    *step = (*step + 1) & places->mask;
    return slot ? slot - 1 : PLACES_END;
}

void places_add(struct places *places, uint64_t hash, size_t at)
{
    size_t step = places_begin(places, hash);

    while (places->slots[step])
        step = (step + 1) & places->mask;
    places->slots[step] = (uint32_t)at + 1;
}
