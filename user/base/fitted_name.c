#include "base/fitted_name.h"
#include "base/hash.h"
#include <stdio.h>
#include <string.h>

#define TAIL_BYTES (1 + 2 * STRONG_DIGEST_BYTES) /* "~" and hexadecimal digits */

void fitted_name(const char *name, char *out, size_t size)
{
    size_t len = strlen(name), kept = size - TAIL_BYTES - 1;
    unsigned char digest[STRONG_DIGEST_BYTES];

    if (len < size) {
        memcpy(out, name, len + 1);
        return;
    }
    while (kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80)
        kept--;
    memcpy(out, name, kept);
    out[kept++] = '~';
    strong_digest(name, len, digest);
    for (size_t i = 0; i < sizeof(digest); i++, kept += 2)
        snprintf(out + kept, 3, "%02x", digest[i]);
}
