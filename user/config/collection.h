/* Arrays and objects of plain values. Inside this layer only. */
#ifndef MOONWATCH_CONFIG_COLLECTION_H
#define MOONWATCH_CONFIG_COLLECTION_H

#include "config/reader.h"

#define LIST_ITEMS_MAX 256

/* Each adds an error where a value is not allowed; what was read so far is in the result, to be
 * released like the rest. */
void collection_strings(struct reader *reader, const struct key *key,
                        struct config_strings *strings, const cJSON *json);
void collection_flags(struct reader *reader, const struct key *key, unsigned *flags,
                      const cJSON *json);
void collection_map(struct reader *reader, const struct key *key, struct config_map *map,
                    const cJSON *json);

/* Zeroed memory; NULL for none, or with `reader->out_of_memory` set. */
void *collection_take(struct reader *reader, size_t count, size_t size);

#endif
