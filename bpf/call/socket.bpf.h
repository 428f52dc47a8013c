/* What is remembered of each socket whose calls are followed, and the rows they are counted in.
 *
 * The programs run in the process's context and in softirq, on several CPUs at once for one socket:
 * counters are added to atomically, and a call begins and ends by one exchange of `call`.
 */
#ifndef MOONWATCH_CALL_SOCKET_BPF_H
#define MOONWATCH_CALL_SOCKET_BPF_H

#include "abi/call.h"
#include "lib/emit.bpf.h"

enum call_role {
    CALL_UNKNOWN, /* accepted; whose it is shows when a process first uses it */
    CALL_NOBODY,  /* not, or no longer, to be followed */
    CALL_CLIENT,
    CALL_SERVER,
};

/* `call` is the time since which it is in flight with its flags in the low bits; 0: none is. */
#define CALL_FLAGS 7ULL

/* What every send and receive reads comes first: it shares a cache line with the kernel's own head.
 */
struct call_socket {
    u64 call;
    u64 probe_epoch; /* admitted as a probe in this epoch; 0: not a probe */
    u32 role;
    u32 row;         /* of call_stats */
    u32 idle_seq;    /* client: end of what it had sent when it read with no call in flight */
    u32 copied_seq;  /* end of what was seen to be read */
    u32 sent_seq;    /* end of what was seen to be sent (twin) */
    u32 calls;       /* not 0: it has made one */
    u32 http_failed; /* the answer that is waiting to be read has a status 5xx */
    u32 established;

    u64 generation; /* of the service maps, when they were last asked */
    u64 scan;       /* last one that met it: processes can share a socket */
    /* Left by the breaker's program for this connect() alone: the row's word at that time. */
    u64 ticket;
    u64 redirected;
    u64 bytes_sent; /* counted so far, these four */
    u64 bytes_received;
    u32 retransmits;
    u32 segments_sent;
    u32 http_seq; /* of the last status: segments can come twice */
    u32 http_seen;
    struct record_call peer;
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct call_socket);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} call_socket SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, CALL_ROWS_MAX);
    __type(key, u32);
    __type(value, struct call_stats);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} call_stats SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, CALL_ROWS_MAX);
    __type(key, u32);
    __type(value, struct call_limit);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} call_limit SEC(".maps");

static __always_inline struct call_socket *call_socket_find(void *sk)
{
    return bpf_sk_storage_get(&call_socket, sk, NULL, 0);
}

static __always_inline struct call_stats *call_stats_of(const struct call_socket *socket)
{
    u32 row = socket->row;

    return bpf_map_lookup_elem(&call_stats, &row);
}

static __always_inline struct call_limit *call_limit_of(const struct call_socket *socket)
{
    u32 row = socket->row;

    return bpf_map_lookup_elem(&call_limit, &row);
}

#endif
