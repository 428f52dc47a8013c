#include "service/unit_path.h"
#include <stdio.h>
#include <string.h>

#define SYSTEM_SLICE "/system.slice/"

/* As systemd escapes a name, where a dash means a slice in a slice. */
static void escape(const char *name, size_t n, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < n && used + sizeof("\\x2d") < size; i++) {
        if (name[i] == '-' || name[i] == '\\')
            used += (size_t)snprintf(out + used, size - used, "\\x%02x", (unsigned)name[i]);
        else
            out[used++] = name[i];
    }
    out[used] = '\0';
}

bool unit_path(const char *unit, size_t index, char out[PATH_MAX])
{
    const char *at = strchr(unit, '@');
    char escaped[NAME_MAX + 1];
    int n = -1;

    if (index == 0)
        n = snprintf(out, PATH_MAX, SYSTEM_SLICE "%s", unit);
    /* All instances of a template share a slice. */
    if (index == 1 && at && at > unit) {
        escape(unit, (size_t)(at - unit), escaped, sizeof(escaped));
        n = snprintf(out, PATH_MAX, SYSTEM_SLICE "system-%s.slice/%s", escaped, unit);
    }
    return n > 0 && n < PATH_MAX;
}
