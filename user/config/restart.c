/* Which changes of a reload wait for the next start. */
#include "config/config.h"
#include "config/key.h"
#include <stdio.h>
#include <string.h>

#define POINTER_BYTES 128

struct comparison {
    const struct config *before, *after;
    void (*fn)(void *ctx, const char *pointer);
    void *ctx;
};

/* An unset number is NaN, which differs from itself, but not in its bytes. */
static const size_t value_bytes[] = {
    [KEY_BOOL] = sizeof(bool),  [KEY_NUMBER] = sizeof(double),  [KEY_WHOLE] = sizeof(unsigned),
    [KEY_CHOICE] = sizeof(int), [KEY_FLAGS] = sizeof(unsigned),
};

static bool differs(const struct key *key, const char *before, const char *after)
{
    if (key->type == KEY_STRING) {
        const char *was = *(char *const *)(const void *)(before + key->offset);
        const char *is = *(char *const *)(const void *)(after + key->offset);

        return was && is ? strcmp(was, is) != 0 : was != is;
    }
    return memcmp(before + key->offset, after + key->offset, value_bytes[key->type]) != 0;
}

/* Lists and maps are never read at the start only. */
static bool comparable(const struct key *key)
{
    return key->type == KEY_STRING ||
           (key->type < sizeof(value_bytes) / sizeof(value_bytes[0]) && value_bytes[key->type]);
}

static void compare(const struct comparison *c, const struct key_table *table, const char *prefix,
                    bool at_start)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];
        char pointer[POINTER_BYTES];

        snprintf(pointer, sizeof(pointer), "%s/%s", prefix, key->name);
        if (key->type == KEY_OBJECT)
            compare(c, key->table, pointer, at_start || key->at_start);
        else if ((at_start || key->at_start) && comparable(key) &&
                 differs(key, (const char *)c->before, (const char *)c->after))
            c->fn(c->ctx, pointer);
    }
}

void config_changed_at_start(const struct config *before, const struct config *after,
                             void (*fn)(void *ctx, const char *pointer), void *ctx)
{
    const struct comparison c = {.before = before, .after = after, .fn = fn, .ctx = ctx};

    compare(&c, &config_table, "", false);
}
