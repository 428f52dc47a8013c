/* Whose an accepted connection is: by its local port at once, by the process when one uses it. */
#ifndef MOONWATCH_CALL_SERVICE_BPF_H
#define MOONWATCH_CALL_SERVICE_BPF_H

#include "call/socket.bpf.h"
#include "lib/netns.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct call_table);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} call_table SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4 * SERVICES_MAX);
    __type(key, u64);
    __type(value, u32);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} service_port SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4096);
    __type(key, u64);
    __type(value, u32);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} service_cgroup SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, u32);
    __type(value, u32);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} service_tgid SEC(".maps");

static __always_inline struct call_table *call_table_find(void)
{
    u32 zero = 0;

    return bpf_map_lookup_elem(&call_table, &zero);
}

static __always_inline u32 *service_at_port(const struct tcp_sock *tp)
{
    const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
    u64 port = sk->__sk_common.skc_num, key = SERVICE_PORT_KEY(netns_of_sock(sk), port);
    u32 *service = bpf_map_lookup_elem(&service_port, &key);

    return service ? service : bpf_map_lookup_elem(&service_port, &port);
}

static __always_inline void service_claim(struct call_socket *socket, u32 service,
                                          const struct tcp_sock *tp)
{
    struct call_stats *stats;

    if (service >= SERVICES_MAX)
        return;
    socket->row = UPSTREAMS_MAX + service;
    socket->role = CALL_SERVER;
    socket->established = 1;
    socket->sent_seq = tp->write_seq;
    stats = call_stats_of(socket);
    if (stats)
        __sync_fetch_and_add(&stats->opened, 1);
}

/* In softirq, when the handshake is complete. */
static __always_inline void on_accepted(struct tcp_sock *tp)
{
    u32 *service = service_at_port(tp);
    struct call_table *table = call_table_find();
    struct call_socket *socket;

    if (!service && (!table || !table->services_by_process))
        return;
    socket = bpf_sk_storage_get(&call_socket, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (!socket) {
        count_map_drop(MAP_DROP_CALL_SOCKET);
        return;
    }
    /* An accepted socket begins with the retransmits of its SYN-ACK. */
    socket->retransmits = tp->total_retrans;
    socket->copied_seq = tp->copied_seq;
    if (service)
        service_claim(socket, *service, tp);
}

/* In the context of the process that uses the socket. Asked again only when the maps changed: a
 * process may be known later than its first connection. */
static __always_inline void service_resolve(struct call_socket *socket, struct tcp_sock *tp)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct call_table *table = call_table_find();
    u64 cgroup_id, generation;
    u32 *service;

    if (!table)
        return;
    generation = table->generation + 1; /* 0: never asked */
    if (socket->generation == generation)
        return;
    socket->generation = generation;
    cgroup_id = bpf_get_current_cgroup_id();
    service = bpf_map_lookup_elem(&service_cgroup, &cgroup_id);
    if (!service)
        service = bpf_map_lookup_elem(&service_tgid, &tgid);
    if (service)
        service_claim(socket, *service, tp);
}

#endif
