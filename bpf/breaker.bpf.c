/* Breakers enforced at connect(): an open one refuses, or redirects to the fallback.
 *
 * Attached to cgroups by the agent. TCP only; whatever is not sure passes. A process can be below
 * two cgroups with the programs, which then run twice for one connect: what the first run decided
 * is left alone.
 */
#include "call/socket.bpf.h"
#include "lib/breaker_row.bpf.h"
#include "lib/connect_client.bpf.h"
#include "lib/netns.bpf.h"
#include <linux/errno.h>

char LICENSE[] SEC("license") = "GPL";

#define SOCK_STREAM 1
#define IPPROTO_TCP 6

enum verdict { REFUSE, PASS }; /* as the kernel wants them returned */

/* What the breaker has to do with this connect. */
struct passage {
    struct breaker_row *row;
    u64 word;
    u32 upstream;
};

/* False: nothing, it passes. */
static __always_inline bool is_stopped(struct passage *passage, const struct upstream_key *key,
                                       struct bpf_sock_addr *ctx)
{
    struct upstream_value *found = upstream_lookup(key);
    struct breaker_row *row = found ? breaker_row_of(found->upstream) : NULL;
    struct breaker_agent *agent;
    u64 word;

    if (!row || !row->enforce)
        return false;
    word = breaker_word(row);
    if (BREAKER_STATE_OF(word) == BREAKER_CLOSED || BREAKER_STATE_OF(word) == BREAKER_OFF)
        return false;
    if (!is_client(row) || !is_netns(row, bpf_get_netns_cookie(ctx)))
        return false;
    agent = breaker_agent_find();
    if (!agent || is_agent(agent) || bpf_ktime_get_ns() >= agent->expires_ns)
        return false;
    passage->row = row;
    passage->word = word;
    passage->upstream = found->upstream;
    return true;
}

static __always_inline struct call_socket *socket_create(struct bpf_sock *sk)
{
    struct call_socket *socket =
        sk ? bpf_sk_storage_get(&call_socket, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;

    if (!socket)
        count_map_drop(MAP_DROP_CALL_SOCKET);
    return socket;
}

/* True when it may pass: half open, and one of those allowed. */
static __always_inline bool admit(struct bpf_sock *sk, const struct passage *passage)
{
    struct call_socket *socket;

    if (BREAKER_STATE_OF(passage->word) != BREAKER_HALF_OPEN)
        return false;
    socket = socket_create(sk);
    /* Without a place to remember it, its outcome could not count: it is none. */
    if (!socket)
        return false;
    if (socket->ticket == passage->word && !socket->redirected)
        return true;
    if (!take_ticket(passage->row))
        return false;
    socket->ticket = passage->word;
    socket->redirected = 0;
    return true;
}

static __always_inline enum verdict refuse(const struct passage *passage)
{
    if (bpf_get_retval() == -ECONNREFUSED)
        return REFUSE;
    __sync_fetch_and_add(&passage->row->refused_total, 1);
    count_attempt(passage->upstream);
    bpf_set_retval(-ECONNREFUSED);
    return REFUSE;
}

/* The fallback's address as four words, and its port in network order; false: there is none. */
static __always_inline bool fallback_of(const struct breaker_row *row, u32 words[4], u32 *ret_port)
{
    const struct breaker_fallback *fallback =
        row->fallback_slot & 1 ? &row->fallback[1] : &row->fallback[0];

    if (!fallback->port)
        return false;
    __builtin_memcpy(words, fallback->addr, sizeof(fallback->addr));
    *ret_port = bpf_htons(fallback->port);
    return true;
}

/* The socket's outcome is not the upstream's. */
static __always_inline void mark_redirected(struct bpf_sock *sk, const struct passage *passage)
{
    struct call_socket *socket = socket_create(sk);

    if (socket) {
        socket->ticket = passage->word;
        socket->redirected = passage->upstream + 1;
    }
    __sync_fetch_and_add(&passage->row->redirected_total, 1);
}

static __always_inline bool is_mapped4(const u32 words[4])
{
    return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

SEC("cgroup/connect4")
int breaker_conn4(struct bpf_sock_addr *ctx)
{
    u32 address = ctx->user_ip4, port = ctx->user_port, words[4];
    struct passage passage;
    struct upstream_key key;

    if (ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP)
        return PASS;
    upstream_key_set4(&key, address, port);
    if (!is_stopped(&passage, &key, ctx))
        return PASS;
    if (admit(ctx->sk, &passage))
        return PASS;
    /* An IPv4 socket has no way to an IPv6 address. */
    if (!fallback_of(passage.row, words, &port) || !is_mapped4(words))
        return refuse(&passage);
    mark_redirected(ctx->sk, &passage);
    ctx->user_ip4 = words[3];
    ctx->user_port = port;
    return PASS;
}

SEC("cgroup/connect6")
int breaker_conn6(struct bpf_sock_addr *ctx)
{
    u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
    u32 port = ctx->user_port;
    struct passage passage;
    struct upstream_key key;

    if (ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP)
        return PASS;
    upstream_key_set(&key, words, port);
    if (!is_stopped(&passage, &key, ctx))
        return PASS;
    if (admit(ctx->sk, &passage))
        return PASS;
    if (!fallback_of(passage.row, words, &port))
        return refuse(&passage);
    mark_redirected(ctx->sk, &passage);
    ctx->user_ip6[0] = words[0];
    ctx->user_ip6[1] = words[1];
    ctx->user_ip6[2] = words[2];
    ctx->user_ip6[3] = words[3];
    ctx->user_port = port;
    return PASS;
}
