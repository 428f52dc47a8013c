#include "base/hash.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_BYTES 32

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

/* Of `first` and `second` one after the other. It fails for want of memory or where SHA-256 itself
 * is forbidden; an identity that others could choose would be worse than none. */
static void sha256(const void *first, size_t first_bytes, const void *second, size_t second_bytes,
                   unsigned char ret[SHA256_BYTES])
{
    gnutls_hash_hd_t state;

    if (gnutls_hash_init(&state, GNUTLS_DIG_SHA256) < 0)
        abort();
    if (gnutls_hash(state, first, first_bytes) < 0 || gnutls_hash(state, second, second_bytes) < 0)
        abort();
    gnutls_hash_deinit(state, ret);
}

uint64_t strong_bytes(uint64_t hash, const void *bytes, size_t n)
{
    unsigned char whole[SHA256_BYTES];
    uint64_t ret = 0;

    /* By value, so that it is the same on hosts of either byte order. */
    for (size_t i = 0; i < sizeof(hash); i++)
        whole[i] = (unsigned char)(hash >> 8 * i);
    sha256(whole, sizeof(hash), bytes, n, whole);
    for (size_t i = 0; i < sizeof(ret); i++)
        ret = ret << 8 | whole[i];
    return ret;
}

uint64_t strong_string(uint64_t hash, const char *s)
{
    return strong_bytes(hash, s, strlen(s) + 1);
}

void strong_digest(const void *bytes, size_t n, unsigned char ret[STRONG_DIGEST_BYTES])
{
    unsigned char whole[SHA256_BYTES];

    sha256("", 0, bytes, n, whole);
    memcpy(ret, whole, STRONG_DIGEST_BYTES);
}
