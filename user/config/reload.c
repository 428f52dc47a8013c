#include "config/reload.h"
#include <stdio.h>
#include <string.h>

int config_parts_set(const struct config_part *parts, size_t count, const struct config *next,
                     char error[RELOAD_ERROR_BYTES])
{
    size_t staged = 0;
    int r = 0;

    *error = '\0';
    while (r == 0 && staged < count) {
        if (parts[staged].stage)
            r = parts[staged].stage(parts[staged].part, next, error);
        staged++;
    }
    if (r < 0 && !*error)
        snprintf(error, RELOAD_ERROR_BYTES, "%s: %s", parts[staged - 1].name, strerror(-r));
    for (size_t i = 0; i < staged; i++) {
        if (r == 0)
            parts[i].commit(parts[i].part);
        else if (parts[i].unstage)
            parts[i].unstage(parts[i].part);
    }
    return r;
}

void config_parts_tell(const struct config_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].tell)
            parts[i].tell(parts[i].part);
}
