/* Calls as the socket sees them: how long each waits for its answer, and how it fails.
 *
 * Nothing is asked of a socket that is not followed but its (missing) storage. Two ways to see
 * bytes leave: the socket's own tracepoint (6.3+), or the packets, which every kernel traces; and
 * one to see them read. What a call is: include/abi/call.h.
 */
#include "call/connection.bpf.h"
#include "call/http.bpf.h"
#include "call/route.bpf.h"
#include "call/scan.bpf.h"
#include "call/traffic.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

SEC("cgroup_skb/ingress")
int request_http(struct __sk_buff *skb)
{
    struct call_socket *socket;
    char text[STATUS_BYTES];
    struct call_limit *limit;
    struct bpf_sock *sk = skb->sk;
    u32 offset, status, seq;

    if (!sk)
        return 1;
    sk = bpf_sk_fullsock(sk);
    if (!sk)
        return 1;
    socket = call_socket_find(sk);
    if (!socket || socket->role != CALL_CLIENT || !socket->established)
        return 1;
    limit = call_limit_of(socket);
    if (!limit || !limit->http)
        return 1;
    offset = payload_offset(skb, &seq);
    if (!offset || bpf_skb_load_bytes(skb, offset, text, sizeof(text)) < 0)
        return 1;
    status = status_of(text);
    if (!status || (socket->http_seq == seq && socket->http_seen))
        return 1;
    socket->http_seq = seq;
    socket->http_seen = 1;
    on_status(socket, status);
    return 1;
}

SEC("tp_btf/fib_table_lookup")
int BPF_PROG(request_route4, u32 table, const struct flowi4 *flow,
             const struct fib_nh_common *nexthop, int err)
{
    u32 error = connect_route_error4(table, flow, err);
    struct upstream_key key = {};

    if (!error)
        return 0;
    upstream_key_set4(&key, flow->daddr, flow->uli.ports.dport);
    on_route_failed(&key, error);
    return 0;
}

SEC("tp_btf/fib6_table_lookup")
int BPF_PROG(request_route6, const struct net *net, const struct fib6_result *result,
             struct fib6_table *table, const struct flowi6 *flow)
{
    u32 error = connect_route_error6(net, result, table, flow), words[4] = {};
    struct upstream_key key = {};

    if (!error)
        return 0;
    bpf_core_read(words, sizeof(words), &flow->daddr);
    upstream_key_set(&key, words, flow->uli.ports.dport);
    on_route_failed(&key, error);
    return 0;
}

SEC("iter/task_file")
int request_scan(struct bpf_iter__task_file *ctx)
{
    u64 session = ctx->meta->session_id + 1, call, flags = 0;
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    struct call_socket *socket;
    struct call_stats *stats;
    struct call_row row = {};
    struct socket *open;
    struct tcp_sock *tp;

    if (!task || !file)
        return 0;
    open = bpf_sock_from_file(file);
    if (!open || !open->sk)
        return 0;
    tp = bpf_skc_to_tcp_sock(open->sk);
    if (!tp)
        return 0;
    socket = call_socket_find(tp);
    if (!socket) {
        adopt(tp, task);
        return 0;
    }
    if (socket->role != CALL_CLIENT && socket->role != CALL_SERVER)
        return 0;
    stats = call_stats_of(socket);
    if (!stats || __sync_lock_test_and_set(&socket->scan, session) == session)
        return 0;
    if (socket->established)
        count_progress(socket, stats, tp, false);
    call = *(volatile u64 *)&socket->call;
    if (!call || !count_age(socket, stats, call, bpf_ktime_get_ns(), &flags))
        return 0;
    row.since_ns = call_since(call);
    row.row = socket->row;
    row.flags = flags;
    row.pid = socket->peer.pid;
    row.address = socket->peer.address;
    bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(request_state, const struct sock *sk, int from, int to)
{
    return on_state(sk, from, to);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(request_sent, struct sock *sk, int ret, int flags)
{
    struct call_socket *socket;
    struct tcp_sock *tp;

    if (ret <= 0)
        return 0;
    socket = call_socket_find(sk);
    if (!socket)
        return 0;
    tp = bpf_skc_to_tcp_sock(sk);
    if (tp)
        on_sent(socket, tp->write_seq, sent_ns(tp));
    return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(request_read, struct sock *sk)
{
    return on_copied(sk);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(request_state_p, const struct sock *sk, int from, int to)
{
    return on_state(sk, from, to);
}

/* Twin: any packet of the connection. What was handed over since the last one shows in write_seq;
 * once it is closing, so does the FIN. */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(request_queued, struct sk_buff *skb)
{
    struct sock *sk = skb->sk;
    struct call_socket *socket;
    u32 state, write_seq;

    if (!sk)
        return 0;
    socket = call_socket_find(sk);
    if (!socket || !socket->established)
        return 0;
    /* Only TCP sockets are followed; bpf_skc_to_tcp_sock() does not take a pointer got so. */
    write_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
    state = BPF_CORE_READ(sk, __sk_common.skc_state);
    if (write_seq == socket->sent_seq || (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT))
        return 0;
    socket->sent_seq = write_seq;
    on_sent(socket, write_seq, bpf_ktime_get_ns());
    return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(request_read_p, struct sock *sk)
{
    return on_copied(sk);
}
