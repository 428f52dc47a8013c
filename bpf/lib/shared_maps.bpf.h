/* Maps that every object shares: pinned by name, so the first object loaded creates them and the
 * others reuse them. */
#ifndef MOONWATCH_LIB_SHARED_MAPS_BPF_H
#define MOONWATCH_LIB_SHARED_MAPS_BPF_H

#include "abi/record.h"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20); /* resized by the loader */
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RECORD_TYPE_COUNT);
    __type(key, u32);
    __type(value, struct emit_stats);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} emit_stats SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, MAP_DROP_COUNT);
    __type(key, u32);
    __type(value, u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} map_drops SEC(".maps");

/* The position in `events` that the agent must have read up to before it is woken again. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} wake_after SEC(".maps");

#endif
