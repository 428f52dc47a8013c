#include "base/rooted_path.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

char *rooted_path(const char *path)
{
    char *ret = malloc(strlen(path) + 2), *end = ret;

    if (!ret)
        return NULL;
    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        size_t len = strcspn(path, "/");

        *end++ = '/';
        memcpy(end, path, len);
        end += len;
        path += len;
    }
    if (end == ret)
        *end++ = '/';
    *end = '\0';
    return ret;
}

char *label_copy(const char *name, const char *value)
{
    bool is_path = strcmp(name, "cgroup") == 0 && *value && strcmp(value, "other") != 0;

    return is_path ? rooted_path(value) : strdup(value);
}
