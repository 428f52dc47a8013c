#include "config/reader.h"
#include "base/text.h"
#include "config/collection.h"
#include "config/scalar.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every list of config.h has this layout. */
struct any_list {
    size_t count;
    void *items;
};

static void read_object(struct reader *reader, const struct key_table *table, void *base,
                        const cJSON *json);

size_t reader_enter(struct reader *reader, const char *name)
{
    size_t mark = strlen(reader->pointer), n = mark;

    if (n + 1 < sizeof(reader->pointer))
        reader->pointer[n++] = '/';
    for (; *name && n + 2 < sizeof(reader->pointer); name++) {
        if (*name == '~' || *name == '/') {
            reader->pointer[n++] = '~';
            reader->pointer[n++] = *name == '~' ? '0' : '1';
        } else {
            reader->pointer[n++] = *name;
        }
    }
    reader->pointer[n] = '\0';
    return mark;
}

size_t reader_enter_index(struct reader *reader, size_t index)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%zu", index);
    return reader_enter(reader, digits);
}

void reader_leave(struct reader *reader, size_t mark)
{
    reader->pointer[mark] = '\0';
}

__attribute__((format(printf, 3, 0))) static void
tell(const struct reader *reader, const char *below, const char *format, va_list args,
     void (*add)(struct config_errors *errors, const char *pointer, const char *format, ...))
{
    char pointer[2 * sizeof(reader->pointer)];
    char message[sizeof(((struct config_error *)0)->message)];

    vsnprintf(message, sizeof(message), format, args);
    snprintf(pointer, sizeof(pointer), "%s%s%s", reader->pointer, *below ? "/" : "", below);
    add(reader->errors, pointer, "%s", message);
}

void reader_error(struct reader *reader, const char *below, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(reader, below, format, args, config_error_add);
    va_end(args);
}

void reader_warning(struct reader *reader, const char *below, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(reader, below, format, args, config_warning_add);
    va_end(args);
}

bool reader_has(const struct reader *reader, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(reader->object, key) != NULL;
}

const char *reader_json_type(const cJSON *json)
{
    return cJSON_IsObject(json)   ? "an object"
           : cJSON_IsArray(json)  ? "an array"
           : cJSON_IsString(json) ? "a string"
           : cJSON_IsNumber(json) ? "a number"
           : cJSON_IsBool(json)   ? "a boolean"
                                  : "null";
}

static void wrong_type(struct reader *reader, const struct key *key, const cJSON *json)
{
    struct text allowed;

    text_init(&allowed, 160);
    key_describe(key, &allowed);
    reader_error(reader, "", "is %s (allowed: %s)", reader_json_type(json),
                 allowed.data ? allowed.data : "");
    text_free(&allowed);
}

static void check_names(struct reader *reader, const struct key *key, const struct any_list *list)
{
    size_t i, j, mark;

    for (i = 0; i < list->count; i++) {
        const char *name = *(char **)((char *)list->items + i * key->table->size);

        for (j = 0; name && j < i; j++) {
            const char *other = *(char **)((char *)list->items + j * key->table->size);

            if (!other || strcmp(name, other) != 0)
                continue;
            mark = reader_enter_index(reader, i);
            reader_error(reader, "name",
                         "\"%s\" is the name of /%zu too (allowed: a name of its "
                         "own)",
                         name, j);
            reader_leave(reader, mark);
            break;
        }
    }
}

static void read_list(struct reader *reader, const struct key *key, struct any_list *list,
                      const cJSON *json)
{
    size_t count = (size_t)cJSON_GetArraySize(json), mark;
    const cJSON *item;
    char *element;

    if (count > LIST_ITEMS_MAX) {
        reader_error(reader, "", "has %zu items (allowed: at most %d)", count, LIST_ITEMS_MAX);
        return;
    }
    list->items = collection_take(reader, count, key->table->size);
    if (!list->items)
        return;
    cJSON_ArrayForEach (item, json) {
        element = (char *)list->items + list->count * key->table->size;
        mark = reader_enter_index(reader, list->count++);
        if (cJSON_IsObject(item))
            read_object(reader, key->table, element, item);
        else
            reader_error(reader, "", "is %s (allowed: an object)", reader_json_type(item));
        reader_leave(reader, mark);
    }
    if (key->named)
        check_names(reader, key, list);
}

/* What a key of this type may be in JSON. */
static bool type_fits(const struct key *key, const cJSON *json)
{
    switch (key->type) {
    case KEY_BOOL:
        return cJSON_IsBool(json);
    case KEY_NUMBER:
    case KEY_WHOLE:
        return cJSON_IsNumber(json);
    case KEY_STRING:
        return cJSON_IsString(json) || (key->or_whole && cJSON_IsNumber(json));
    case KEY_CHOICE:
        return cJSON_IsString(json);
    case KEY_STRINGS:
        return cJSON_IsArray(json) || (key->or_one && cJSON_IsString(json));
    case KEY_FLAGS:
    case KEY_LIST:
        return cJSON_IsArray(json);
    case KEY_MAP:
    case KEY_OBJECT:
        return cJSON_IsObject(json);
    }
    return false;
}

/* Whether a value says no more than its absence. */
static bool is_initial(const struct key *key, const cJSON *json)
{
    cJSON *initial = key->initial ? cJSON_Parse(key->initial) : NULL;
    bool same = initial && cJSON_Compare(initial, json, true);

    cJSON_Delete(initial);
    return same;
}

static bool is_later_choice(const struct key *key, const cJSON *json)
{
    for (size_t i = 0; key->later_choices && key->later_choices[i]; i++)
        if (cJSON_IsString(json) && strcmp(key->later_choices[i], json->valuestring) == 0)
            return true;
    return false;
}

static void warn_of_later(struct reader *reader, const struct key *key, const cJSON *json)
{
    if (is_later_choice(key, json))
        config_warning_add(reader->errors, reader->pointer,
                           "\"%s\" is not in this version: it has no effect", json->valuestring);
    else if (key->later && !is_initial(key, json))
        config_warning_add(reader->errors, reader->pointer,
                           "not in this version: it has no effect");
}

static void read_value(struct reader *reader, const struct key *key, void *at, const cJSON *json)
{
    char *string;

    if (!type_fits(key, json)) {
        wrong_type(reader, key, json);
        return;
    }
    warn_of_later(reader, key, json);
    switch (key->type) {
    case KEY_BOOL:
        *(bool *)at = cJSON_IsTrue(json);
        break;
    case KEY_NUMBER:
        scalar_number(reader, key, json, at);
        break;
    case KEY_WHOLE:
        scalar_whole(reader, key, json, at);
        break;
    case KEY_CHOICE:
        scalar_choice(reader, key, json, at);
        break;
    case KEY_STRING:
        string = scalar_string(reader, key, json);
        if (string) {
            free(*(char **)at);
            *(char **)at = string;
        }
        break;
    case KEY_FLAGS:
        collection_flags(reader, key, at, json);
        break;
    case KEY_STRINGS:
        collection_strings(reader, key, at, json);
        break;
    case KEY_MAP:
        collection_map(reader, key, at, json);
        break;
    case KEY_LIST:
        read_list(reader, key, at, json);
        break;
    case KEY_OBJECT:
        break;
    }
}

static void read_initial(struct reader *reader, const struct key *key, void *at)
{
    cJSON *json;

    if (key->initial) {
        json = cJSON_Parse(key->initial);
        if (json)
            read_value(reader, key, at, json);
        else
            reader->out_of_memory = true;
        cJSON_Delete(json);
    } else if (key->type == KEY_NUMBER && !key->inherits) {
        *(double *)at = NAN;
    }
}

static void read_environment(struct reader *reader, const struct key *key, void *at)
{
    const char *value = environment_value(reader->environment, key->environment);
    char pointer[sizeof(reader->pointer)];
    cJSON *json;

    /* A variable that is set to nothing counts as not set. */
    if (!value || !*value)
        return;
    memcpy(pointer, reader->pointer, sizeof(pointer));
    snprintf(reader->pointer, sizeof(reader->pointer), "environment %s", key->environment);
    json = scalar_from_text(key, value);
    if (!json)
        reader->out_of_memory = true;
    else if (!type_fits(key, json))
        scalar_not_allowed(reader, key, value);
    else
        read_value(reader, key, at, json);
    cJSON_Delete(json);
    memcpy(reader->pointer, pointer, sizeof(pointer));
}

static const struct key *find_key(const struct key_table *table, const char *name);

/* The one key of the object that a mere string or number stands for; the rest as when not given. */
static bool read_short_form(struct reader *reader, const struct key *key, void *at,
                            const cJSON *json)
{
    const char *name = cJSON_IsString(json)   ? key->short_string
                       : cJSON_IsNumber(json) ? key->short_whole
                                              : NULL;
    const struct key *inner = name ? find_key(key->table, name) : NULL;

    if (!inner)
        return false;
    read_object(reader, key->table, at, NULL);
    read_value(reader, inner, (char *)at + inner->offset, json);
    if (key->optional)
        *(bool *)at = true;
    return true;
}

static void read_key(struct reader *reader, const struct key *key, void *base, const cJSON *json)
{
    void *at = (char *)base + key->offset;
    struct text allowed;

    /* null stands for "not given" where there is no default. */
    if (cJSON_IsNull(json) && !key->initial && !key->required && !key->inherits)
        json = NULL;
    if (!json && key->required) {
        text_init(&allowed, 160);
        key_describe(key, &allowed);
        reader_error(reader, "", "is missing (allowed: %s)", allowed.data ? allowed.data : "");
        text_free(&allowed);
    }
    if (key->type == KEY_OBJECT) {
        if (read_short_form(reader, key, at, json))
            return;
        if (json && !cJSON_IsObject(json)) {
            wrong_type(reader, key, json);
            return;
        }
        if (!json && key->required)
            return;
        if (json)
            warn_of_later(reader, key, json);
        if (key->optional)
            *(bool *)at = json != NULL;
        if (json || !key->optional)
            read_object(reader, key->table, at, json);
        return;
    }
    read_initial(reader, key, at);
    if (json)
        read_value(reader, key, at, json);
    if (key->environment)
        read_environment(reader, key, at);
}

static const struct key *find_key(const struct key_table *table, const char *name)
{
    size_t i;

    for (i = 0; i < table->count; i++)
        if (strcmp(table->keys[i].name, name) == 0)
            return &table->keys[i];
    return NULL;
}

static void unknown_key(struct reader *reader, const struct key_table *table, const char *name)
{
    const char *nearest = key_nearest(table, name);
    struct text allowed;
    size_t i;

    text_init(&allowed, 180);
    for (i = 0; i < table->count; i++) {
        text_add(&allowed, i ? ", " : "");
        text_add(&allowed, table->keys[i].name);
    }
    reader_error(reader, "", "unknown key%s%s (allowed: %s%s)", nearest ? ", the nearest is " : "",
                 nearest ? nearest : "", allowed.data ? allowed.data : "",
                 allowed.failed ? "..." : "");
    text_free(&allowed);
}

bool reader_is_first(struct reader *reader, const cJSON *json, const cJSON *item)
{
    for (const cJSON *other = json->child; other != item; other = other->next) {
        if (strcmp(other->string, item->string) != 0)
            continue;
        reader_error(reader, "", "is given twice (allowed: once)");
        return false;
    }
    return true;
}

static void check_key_names(struct reader *reader, const struct key_table *table, const cJSON *json)
{
    const cJSON *item;
    size_t mark;

    cJSON_ArrayForEach (item, json) {
        mark = reader_enter(reader, item->string);
        if (reader_is_first(reader, json, item) && !find_key(table, item->string))
            unknown_key(reader, table, item->string);
        reader_leave(reader, mark);
        /* Thousands of them make no better report, and comparing each with all takes its time. */
        if (reader->errors->count > 10 * CONFIG_ERRORS_KEPT)
            break;
    }
}

static void read_object(struct reader *reader, const struct key_table *table, void *base,
                        const cJSON *json)
{
    const cJSON *outer = reader->object;
    size_t errors = reader->errors->count, i, mark;

    if (json)
        check_key_names(reader, table, json);
    if (table->inherit)
        table->inherit(base, reader->config);
    for (i = 0; i < table->count; i++) {
        mark = reader_enter(reader, table->keys[i].name);
        read_key(reader, &table->keys[i], base,
                 cJSON_GetObjectItemCaseSensitive(json, table->keys[i].name));
        reader_leave(reader, mark);
    }
    /* Values that are wrong by themselves need no second complaint. */
    reader->object = json;
    if (table->check && reader->errors->count == errors && !reader->out_of_memory)
        table->check(reader, base);
    reader->object = outer;
}

void reader_read_object(struct reader *reader, const struct key_table *table, void *base,
                        const cJSON *json)
{
    reader->object = NULL;
    if (json && !cJSON_IsObject(json)) {
        reader_error(reader, "", "is %s (allowed: an object)", reader_json_type(json));
        return;
    }
    read_object(reader, table, base, json);
}

void reader_read(struct reader *reader, const cJSON *json)
{
    reader->pointer[0] = '\0';
    reader_read_object(reader, &config_table, reader->config, json);
}

static void release_items(const struct key *key, struct any_list *list)
{
    size_t i;

    for (i = 0; i < list->count; i++) {
        if (key->type == KEY_LIST) {
            reader_release(key->table, (char *)list->items + i * key->table->size);
        } else if (key->type == KEY_MAP) {
            free(((struct config_pair *)list->items)[i].key);
            free(((struct config_pair *)list->items)[i].value);
        } else {
            free(((char **)list->items)[i]);
        }
    }
    free(list->items);
}

void reader_release(const struct key_table *table, void *base)
{
    size_t i;

    for (i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];
        void *at = (char *)base + key->offset;

        if (key->type == KEY_STRING)
            free(*(char **)at);
        else if (key->type == KEY_OBJECT)
            reader_release(key->table, at);
        else if (key->type == KEY_LIST || key->type == KEY_MAP || key->type == KEY_STRINGS)
            release_items(key, at);
    }
}
