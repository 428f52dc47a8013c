/* What a configured pin directory is called, whatever it is called. */
#include "base/cleanup.h"
#include "probe/pin.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_FOLLOWED 8

/* Without a slash at the end, and none that says nothing: what is compared and cut is the text. */
static int normalise(const char *path, char out[PIN_PATH_BYTES])
{
    size_t len = 0;

    while (*path) {
        size_t n;

        path += strspn(path, "/");
        n = strcspn(path, "/");
        if (n > 0 && !(n == 1 && *path == '.')) {
            if (len + n + 2 > PIN_PATH_BYTES)
                return -ENAMETOOLONG;
            out[len++] = '/';
            memcpy(out + len, path, n);
            len += n;
        }
        path += n;
    }
    out[len] = '\0';
    return len ? 0 : -EINVAL;
}

/* The directory may not be there, yet or any more, and what is above it not mounted: as far as it
 * is there, links are followed. `path` is normal. 1 when it was a link, 0, or a negative errno. */
static int follow(char path[PIN_PATH_BYTES])
{
    char target[PIN_PATH_BYTES], joined[2 * PIN_PATH_BYTES];
    CLEANUP_FREE char *parent = NULL;
    char *name = strrchr(path, '/');
    ssize_t len;

    *name = '\0';
    parent = realpath(*path ? path : "/", NULL);
    *name = '/';
    if (!parent)
        return 0;
    len = readlink(path, target, sizeof(target) - 1);
    if (len > 0) {
        target[len] = '\0';
        snprintf(joined, sizeof(joined), "%.255s/%s", *target == '/' ? "" : parent, target);
        len = normalise(joined, path);
        return len < 0 ? (int)len : 1;
    }
    if (strlen(parent) + strlen(name) >= PIN_PATH_BYTES)
        return -ENAMETOOLONG;
    snprintf(joined, sizeof(joined), "%s%s", parent, name);
    return normalise(joined, path);
}

int pin_path_resolve(const char *path, char ret[PIN_PATH_BYTES])
{
    int r = *path == '/' ? normalise(path, ret) : -EINVAL;

    if (r == 0)
        r = 1;
    for (int i = 0; r > 0; i++)
        r = i == LINKS_FOLLOWED ? -ELOOP : follow(ret);
    return r;
}
