#include "base/nearest.h"
#include "base/text.h"
#include "config/reader.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors are one line each, whatever a key or value in the file holds. */
static void one_line(char *s)
{
    size_t left = strlen(s);

    for (;;) {
        size_t clean = text_clean_prefix(s, left), harmful;

        s += clean;
        left -= clean;
        if (!left)
            return;
        harmful = utf8_character_bytes(s, left);
        harmful = harmful ? harmful : 1;
        memset(s, '?', harmful);
        s += harmful;
        left -= harmful;
    }
}

__attribute__((format(printf, 4, 0))) static void
add(struct config_error *list, size_t *count, const char *pointer, const char *format, va_list args)
{
    struct config_error *error;

    if ((*count)++ >= CONFIG_ERRORS_KEPT)
        return;
    error = &list[*count - 1];
    snprintf(error->pointer, sizeof(error->pointer), "%s", pointer);
    vsnprintf(error->message, sizeof(error->message), format, args);
    one_line(error->pointer);
    one_line(error->message);
}

void config_error_add(struct config_errors *errors, const char *pointer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(errors->list, &errors->count, pointer, format, args);
    va_end(args);
}

void config_warning_add(struct config_errors *errors, const char *pointer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(errors->warnings, &errors->warning_count, pointer, format, args);
    va_end(args);
}

void config_errors_say(const struct config_errors *errors, const char *file, char *out, size_t size)
{
    const struct config_error *first = &errors->list[0];

    if (errors->count)
        snprintf(out, size, "%s: %s%s%s", file, first->pointer, *first->pointer ? ": " : "",
                 first->message);
    else
        snprintf(out, size, "%s: out of memory", file);
}

const char *key_nearest(const struct key_table *table, const char *name)
{
    struct nearest nearest = nearest_to(name);
    const char *ret = NULL;

    for (size_t i = 0; i < table->count; i++)
        if (nearest_offer(&nearest, table->keys[i].name))
            ret = table->keys[i].name;
    return ret;
}
