#include "base/text.h"
#include "config/reader.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys longer than this are not compared with the known ones, which are all shorter. */
#define NAME_BYTES_MAX 48

/* Errors are one line each, whatever a key or value in the file holds. */
static void one_line(char *s)
{
    size_t valid, i;

    while (*s) {
        valid = utf8_valid_prefix(s, strlen(s));
        for (i = 0; i < valid; i++)
            if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
                s[i] = '?';
        s += valid;
        if (*s)
            *s++ = '?';
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

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours,
 * the ways a key is mistyped. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_BYTES_MAX + 2];
    size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;
    size_t n = strlen(a), m = strlen(b), i, j;

    for (j = 0; j <= m; j++)
        above[j] = j;
    for (i = 1; i <= n; i++) {
        row[0] = i;
        for (j = 1; j <= m; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[m];
}

/* A name that is mostly different is no help; an abbreviation is. */
static bool near(const char *a, const char *b, size_t apart)
{
    size_t shorter = least(strlen(a), strlen(b));

    return 2 * apart <= shorter + 1 || (shorter > 2 && strncmp(a, b, shorter) == 0);
}

const char *key_nearest(const struct key_table *table, const char *name)
{
    size_t best = NAME_BYTES_MAX, i, d;
    const char *ret = NULL;

    if (strlen(name) > NAME_BYTES_MAX)
        return NULL;
    for (i = 0; i < table->count; i++) {
        d = distance(name, table->keys[i].name);
        if (d < best && near(name, table->keys[i].name, d)) {
            best = d;
            ret = table->keys[i].name;
        }
    }
    return ret;
}
