/* Arrays and objects of plain values. */
#include "config/collection.h"
#include "base/rooted_path.h"
#include "config/scalar.h"
#include <stdlib.h>
#include <string.h>

void *collection_take(struct reader *reader, size_t count, size_t size)
{
    void *memory = count ? calloc(count, size) : NULL;

    if (count && !memory)
        reader->out_of_memory = true;
    return memory;
}

static char *copy(struct reader *reader, const char *s)
{
    char *copied = strdup(s);

    if (!copied)
        reader->out_of_memory = true;
    return copied;
}

static char *copy_label(struct reader *reader, const cJSON *label)
{
    char *copied = label_copy(label->string, label->valuestring);

    if (!copied)
        reader->out_of_memory = true;
    return copied;
}

static char *print(struct reader *reader, const cJSON *json)
{
    char *printed = cJSON_PrintUnformatted(json);

    if (!printed)
        reader->out_of_memory = true;
    return printed;
}

void collection_strings(struct reader *reader, const struct key *key,
                        struct config_strings *strings, const cJSON *json)
{
    size_t count = cJSON_IsArray(json) ? (size_t)cJSON_GetArraySize(json) : 1, mark;
    const cJSON *item = cJSON_IsArray(json) ? json->child : json;
    char *string;

    if (count < key->minimum || count > LIST_ITEMS_MAX) {
        reader_error(reader, "", "has %zu items (allowed: %.0f to %d)", count, key->minimum,
                     LIST_ITEMS_MAX);
        return;
    }
    strings->items = collection_take(reader, count, sizeof(char *));
    if (!strings->items)
        return;
    for (; item; item = cJSON_IsArray(json) ? item->next : NULL) {
        mark = cJSON_IsArray(json) ? reader_enter_index(reader, strings->count)
                                   : strlen(reader->pointer);
        string = scalar_string(reader, key, item);
        reader_leave(reader, mark);
        if (!string)
            return;
        strings->items[strings->count++] = string;
    }
}

void collection_flags(struct reader *reader, const struct key *key, unsigned *flags,
                      const cJSON *json)
{
    const cJSON *item;
    size_t index = 0, mark;
    int choice;

    *flags = 0;
    cJSON_ArrayForEach (item, json) {
        mark = reader_enter_index(reader, index++);
        if (scalar_choice(reader, key, item, &choice))
            *flags |= 1u << choice;
        reader_leave(reader, mark);
    }
}

static void take_pair(struct reader *reader, const struct key *key, struct config_map *map,
                      const cJSON *item)
{
    struct config_pair *pair;

    if (key->format && !key->format->valid(item->string))
        reader_error(reader, "", "is not a key (allowed: %s)", key->format->allowed);
    else if (!key->any_json && !cJSON_IsString(item))
        reader_error(reader, "", "is %s (allowed: a string)", reader_json_type(item));
    else {
        pair = &map->items[map->count++];
        pair->key = copy(reader, item->string);
        pair->value = key->any_json ? print(reader, item) : copy_label(reader, item);
    }
}

void collection_map(struct reader *reader, const struct key *key, struct config_map *map,
                    const cJSON *json)
{
    size_t count = (size_t)cJSON_GetArraySize(json), mark;
    const cJSON *item;

    if (count > LIST_ITEMS_MAX) {
        reader_error(reader, "", "has %zu keys (allowed: at most %d)", count, LIST_ITEMS_MAX);
        return;
    }
    map->items = collection_take(reader, count, sizeof(*map->items));
    if (!map->items)
        return;
    cJSON_ArrayForEach (item, json) {
        mark = reader_enter(reader, item->string);
        if (reader_is_first(reader, json, item))
            take_pair(reader, key, map, item);
        reader_leave(reader, mark);
    }
}
