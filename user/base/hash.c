#include "base/hash.h"
#include <string.h>

#define FNV_PRIME 1099511628211ULL

uint64_t fnv_bytes(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < n; i++) {
        hash ^= byte[i];
        hash *= FNV_PRIME;
    }
    return hash;
}

uint64_t fnv_string(uint64_t hash, const char *s)
{
    return fnv_bytes(hash, s, strlen(s) + 1);
}
