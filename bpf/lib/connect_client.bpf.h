/* Who tries to connect to an upstream, and how often. In the context of the caller. */
#ifndef MOONWATCH_LIB_CONNECT_CLIENT_BPF_H
#define MOONWATCH_LIB_CONNECT_CLIENT_BPF_H

#include "abi/call.h"
#include "lib/emit.bpf.h"

/* The ones that were silent longest make room for others. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, CONNECT_CLIENTS_MAX);
    __type(key, struct connect_client_key);
    __type(value, struct connect_client);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} connect_client SEC(".maps");

static __always_inline void count_attempt(u32 upstream)
{
    struct connect_client_key key = {.upstream = upstream};
    struct connect_client first = {.attempts = 1}, *client;

    key.cgroup_id = bpf_get_current_cgroup_id();
    bpf_get_current_comm(key.comm, sizeof(key.comm));
    client = bpf_map_lookup_elem(&connect_client, &key);
    if (client) {
        __sync_fetch_and_add(&client->attempts, 1);
        return;
    }
    first.pid = bpf_get_current_pid_tgid() >> 32;
    bpf_map_update_elem(&connect_client, &key, &first, BPF_NOEXIST);
}

#endif
