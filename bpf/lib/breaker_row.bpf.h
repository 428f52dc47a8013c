/* The kernel's side of the breakers: include/abi/breaker.h has the protocol. */
#ifndef MOONWATCH_LIB_BREAKER_ROW_BPF_H
#define MOONWATCH_LIB_BREAKER_ROW_BPF_H

#include "abi/breaker.h"
#include "lib/emit.bpf.h"
#include <bpf/bpf_endian.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, UPSTREAMS_MAX);
    __type(key, u32);
    __type(value, struct breaker_row);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} breaker_row SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct breaker_agent);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} breaker_agent SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, UPSTREAM_ADDRESSES_MAX);
    __type(key, struct upstream_key);
    __type(value, struct upstream_value);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} upstream_addr SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, UPSTREAM_ADDRESSES_MAX);
    __type(key, struct upstream_key);
    __type(value, struct upstream_value);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} upstream_host SEC(".maps");

#define UPSTREAM_KEY_BITS (8 * (sizeof(u16) + 16))

/* `words` is the address as four words in network order, `port` likewise. */
static __always_inline void upstream_key_set(struct upstream_key *key, const u32 words[4], u16 port)
{
    key->prefix_bits = UPSTREAM_KEY_BITS;
    key->port = port;
    __builtin_memcpy(key->addr, words, sizeof(key->addr));
    key->pad[0] = key->pad[1] = 0;
}

static __always_inline void upstream_key_set4(struct upstream_key *key, u32 address, u16 port)
{
    const u32 words[4] = {0, 0, bpf_htonl(0xffff), address};

    upstream_key_set(key, words, port);
}

static __always_inline struct upstream_value *upstream_lookup(const struct upstream_key *key)
{
    struct upstream_value *found = bpf_map_lookup_elem(&upstream_host, key);

    return found ? found : bpf_map_lookup_elem(&upstream_addr, key);
}

static __always_inline struct breaker_row *breaker_row_of(u32 upstream)
{
    return bpf_map_lookup_elem(&breaker_row, &upstream);
}

/* Changed by every CPU and by the agent: read once, then judged. */
static __always_inline u64 breaker_word(const struct breaker_row *row)
{
    return *(const volatile u64 *)&row->word;
}

static __always_inline struct breaker_agent *breaker_agent_find(void)
{
    u32 zero = 0;

    return bpf_map_lookup_elem(&breaker_agent, &zero);
}

/* In the context of the process that connects. */
static __always_inline bool is_agent(const struct breaker_agent *agent)
{
    return agent && agent->tgid == bpf_get_current_pid_tgid() >> 32;
}

static __always_inline bool is_client(const struct breaker_row *row)
{
    u64 id = row->clients_cgroup_id;

    if (id == CLIENTS_EVERYBODY)
        return true;
    return id && bpf_get_current_ancestor_cgroup_id(row->clients_level) == id;
}

/* True when the connect may pass as a probe. */
static __always_inline bool take_ticket(struct breaker_row *row)
{
    if (__sync_fetch_and_add(&row->half_open_admitted, 1) >= row->half_open_max)
        return false;
    __sync_fetch_and_add(&row->probes_total, 1);
    return true;
}

#endif
