/* FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv), from and to a running hash. Strings are
 * hashed with their NUL, so that "ab" "c" and "a" "bc" differ. The same across hosts, restarts and
 * versions; no defence against who chooses the input.
 *
 * Where names that anybody may choose become an identity, the strong ones take their place: the
 * first bytes of SHA-256. */
#ifndef MOONWATCH_BASE_HASH_H
#define MOONWATCH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define FNV_START 14695981039346656037ULL

uint64_t fnv_bytes(uint64_t hash, const void *bytes, size_t n);
uint64_t fnv_string(uint64_t hash, const char *s);

/* From and to a running hash, as above; STRONG_START begins one. */
#define STRONG_START 0
uint64_t strong_bytes(uint64_t hash, const void *bytes, size_t n);
uint64_t strong_string(uint64_t hash, const char *s);

#define STRONG_DIGEST_BYTES 16
void strong_digest(const void *bytes, size_t n, unsigned char ret[STRONG_DIGEST_BYTES]);

#endif
