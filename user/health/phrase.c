#include "health/phrase.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_SHOWN_BYTES 80
#define CUT_MARK "..."

void phrase_init(struct phrase *p, char *out, size_t size)
{
    *p = (struct phrase){.out = out, .size = size};
    out[0] = '\0';
}

/* Nobody takes for the end what is none. */
static void mark_cut(struct phrase *p)
{
    size_t end = p->size - 1 < strlen(CUT_MARK) ? 0 : p->size - 1 - strlen(CUT_MARK);

    while (end > 0 && ((unsigned char)p->out[end] & 0xc0) == 0x80)
        end--;
    snprintf(p->out + end, p->size - end, CUT_MARK);
    p->len = p->size - 1;
}

void phrase_add(struct phrase *p, const char *format, ...)
{
    va_list args;
    int n;

    if (p->cut)
        return;
    va_start(args, format);
    n = vsnprintf(p->out + p->len, p->size - p->len, format, args);
    va_end(args);
    if (n < 0)
        return;
    p->len += (size_t)n;
    p->cut = p->len >= p->size;
    if (p->cut)
        mark_cut(p);
}

struct scale {
    double from; /* this much of the base unit ... */
    double unit; /* ... is shown in this many of it */
    const char *format;
};

/* The scales go from large to small; the last one takes what is left. */
static void add_scaled(struct phrase *p, double value, const struct scale *scales)
{
    while (scales->from > 0 && value < scales->from)
        scales++;
    phrase_add(p, scales->format, value / scales->unit);
}

void phrase_bytes(struct phrase *p, double bytes)
{
    static const struct scale scales[] = {
        {0x1p40, 0x1p40, "%.1f TiB"},
        {0x1p30, 0x1p30, "%.1f GiB"},
        {0x1p20, 0x1p20, "%.0f MiB"},
        {0x1p10, 0x1p10, "%.0f KiB"},
        {0, 1, "%.0f B"},
    };

    add_scaled(p, bytes, scales);
}

void phrase_duration(struct phrase *p, double seconds)
{
    static const struct scale scales[] = {
        {2 * 86400, 86400, "%.0f days"},
        {2 * 3600, 3600, "%.0f h"},
        {120, 60, "%.0f min"},
        {0, 1, "%.0f s"},
    };

    add_scaled(p, seconds, scales);
}

void phrase_wait(struct phrase *p, double seconds)
{
    static const struct scale scales[] = {
        {1, 1, "%.1f s"},
        {1e-3, 1e-3, "%.0f ms"},
        {0, 1e-6, "%.0f us"},
    };

    add_scaled(p, seconds, scales);
}

void phrase_path(struct phrase *p, const char *path)
{
    size_t len = strlen(path);

    if (len <= PATH_SHOWN_BYTES) {
        phrase_add(p, "%s", path);
        return;
    }
    path += len - PATH_SHOWN_BYTES;
    while (((unsigned char)*path & 0xc0) == 0x80) /* not inside a UTF-8 sequence */
        path++;
    phrase_add(p, "...%s", path);
}
