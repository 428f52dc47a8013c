/* A program that takes the difference of two of its own times compares the first with this. */
#ifndef MOONWATCH_LIB_ATTACHED_SINCE_BPF_H
#define MOONWATCH_LIB_ATTACHED_SINCE_BPF_H

#include "abi/attached.h"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, ATTACHED_COUNT);
    __type(key, u32);
    __type(value, u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} attached_since SEC(".maps");

static __always_inline u64 attached_since_ns(u32 word)
{
    const u64 *since_ns = bpf_map_lookup_elem(&attached_since, &word);

    return since_ns ? *since_ns : 0;
}

/* Noted before its programs were shed: void. */
static __always_inline bool is_of_before(u64 noted_ns, u64 attached_ns)
{
    return noted_ns < attached_ns;
}

/* The time, or 0: none was noted, or it is void. */
static __always_inline u64 time_since(u64 noted_ns, u64 attached_ns)
{
    return is_of_before(noted_ns, attached_ns) ? 0 : noted_ns;
}

#endif
