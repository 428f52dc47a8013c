#include "base/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_FIRST_BYTES 256

bool text_begins(const char *s, const char *begin)
{
    return strncmp(s, begin, strlen(begin)) == 0;
}

bool text_ends(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

void text_init(struct text *t, size_t limit)
{
    *t = (struct text){.limit = limit};
}

void text_reset(struct text *t)
{
    t->len = 0;
    t->failed = false;
    if (t->data)
        t->data[0] = '\0';
}

void text_free(struct text *t)
{
    free(t->data);
    text_init(t, t->limit);
}

/* Room for `more` bytes and the NUL. Returns how many of them fit. */
static size_t reserve(struct text *t, size_t more)
{
    size_t room = t->limit - t->len;
    size_t capacity, need;
    char *data;

    if (more > room) {
        t->failed = true;
        more = room;
    }
    need = t->len + more + 1;
    if (need <= t->capacity)
        return more;
    capacity = t->capacity ? t->capacity : TEXT_FIRST_BYTES;
    while (capacity < need)
        capacity *= 2;
    data = realloc(t->data, capacity);
    if (!data) {
        t->failed = true;
        return 0;
    }
    if (!t->data)
        data[0] = '\0';
    t->data = data;
    t->capacity = capacity;
    return more;
}

void text_add_n(struct text *t, const char *s, size_t n)
{
    if (n >= t->capacity - t->len || n > t->limit - t->len)
        n = reserve(t, n);
    if (!t->data)
        return;
    memcpy(t->data + t->len, s, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
    text_add_n(t, s, strlen(s));
}

void text_add_char(struct text *t, char c)
{
    text_add_n(t, &c, 1);
}

void text_printf(struct text *t, const char *format, ...)
{
    size_t n;
    int wanted;
    va_list args;

    va_start(args, format);
    wanted = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (wanted < 0) {
        t->failed = true;
        return;
    }
    n = reserve(t, (size_t)wanted);
    if (!t->data)
        return;
    va_start(args, format);
    vsnprintf(t->data + t->len, n + 1, format, args);
    va_end(args);
    t->len += n;
}

char *text_steal(struct text *t)
{
    char *data;

    if (t->failed)
        return NULL;
    reserve(t, 0);
    data = t->data;
    text_init(t, t->limit);
    return data;
}
