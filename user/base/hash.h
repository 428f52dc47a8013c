/* FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv), from and to a running hash. Strings are
 * hashed with their NUL, so that "ab" "c" and "a" "bc" differ. The same across hosts, restarts and
 * versions; no defence against who chooses the input. */
#ifndef MOONWATCH_BASE_HASH_H
#define MOONWATCH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define FNV_START 14695981039346656037ULL

uint64_t fnv_bytes(uint64_t hash, const void *bytes, size_t n);
uint64_t fnv_string(uint64_t hash, const char *s);

#endif
