#include "base/fitted_name.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TAIL_BYTES 17 /* "~" and 64 bits in hexadecimal */

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash(const char *name)
{
    uint64_t h = 14695981039346656037u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

void fitted_name(const char *name, char *out, size_t size)
{
    size_t len = strlen(name), kept = size - TAIL_BYTES - 1;

    if (len < size) {
        memcpy(out, name, len + 1);
        return;
    }
    while (kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80)
        kept--;
    memcpy(out, name, kept);
    snprintf(out + kept, size - kept, "~%016" PRIx64, hash(name));
}
