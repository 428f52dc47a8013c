/* Where each of many items stands, found by a hash of what tells it apart, in open addressing. The
 * items are the caller's, who compares them:
 *
 *     size_t step = places_begin(places, hash), at;
 *     while ((at = places_next(places, &step)) != PLACES_END)
 *         if (is_it(&items[at]))
 */
#ifndef MOONWATCH_BASE_PLACES_H
#define MOONWATCH_BASE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACES_END SIZE_MAX

/* Zeroed before the first use. */
struct places {
    uint32_t *slots; /* 0: free, else the place + 1 */
    size_t mask;
};

/* Empty, with room for `count` items, fewer than 2^31. False without memory; then what was there
 * is still. */
bool places_reset(struct places *places, size_t count);
void places_free(struct places *places);

/* Only of what fits the room. */
void places_add(struct places *places, uint64_t hash, size_t at);
size_t places_begin(const struct places *places, uint64_t hash);
/* The next that may be it. */
size_t places_next(const struct places *places, size_t *step);

#endif
