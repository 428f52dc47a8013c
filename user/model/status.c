#include "model/status.h"
#include <stdarg.h>
#include <stdio.h>

const char *status_name(enum status s)
{
    static const char *const names[STATUS_COUNT] = {
        [STATUS_HEALTHY] = "healthy",
        [STATUS_UNKNOWN] = "unknown",
        [STATUS_DEGRADED] = "degraded",
        [STATUS_UNHEALTHY] = "unhealthy",
    };

    return (unsigned)s < STATUS_COUNT ? names[s] : "unknown";
}

enum status status_worse(enum status a, enum status b)
{
    return a > b ? a : b;
}

void reasons_clear(struct reasons *r)
{
    r->count = 0;
    r->suppressed = 0;
}

void reasons_add(struct reasons *r, const char *format, ...)
{
    va_list args;

    if (r->count == REASONS_MAX) {
        r->suppressed++;
        return;
    }
    va_start(args, format);
    vsnprintf(r->text[r->count++], REASON_BYTES, format, args);
    va_end(args);
}
