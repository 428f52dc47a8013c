/* Statuses of plain HTTP/1.x answers, for upstreams that ask for it. Attached by the agent to the
 * clients' cgroup; looks at the first bytes of what comes in and lets everything pass.
 *
 * The status is here before the process reads the answer, perhaps before its send() has returned:
 * so it is noted on the socket and not on the call.
 */
#ifndef MOONWATCH_CALL_HTTP_BPF_H
#define MOONWATCH_CALL_HTTP_BPF_H

#include "call/outcome.bpf.h"

#define STATUS_BYTES 12 /* "HTTP/1.1 200" */

/* 0: not the beginning of an HTTP answer. */
static __always_inline u32 status_of(const char text[STATUS_BYTES])
{
    if (text[0] != 'H' || text[1] != 'T' || text[2] != 'T' || text[3] != 'P' || text[4] != '/' ||
        text[5] != '1' || text[6] != '.' || text[8] != ' ')
        return 0;
    for (int i = 9; i < STATUS_BYTES; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
    }
    return (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
}

/* Where the payload begins, from the IP header on; 0: it cannot be told. */
static __always_inline u32 payload_offset(struct __sk_buff *skb, u32 *ret_seq)
{
    u8 first, data_offset;
    u32 ip_bytes;

    if (bpf_skb_load_bytes(skb, 0, &first, 1) < 0)
        return 0;
    /* IPv6 extension headers before TCP are as good as unheard of. */
    ip_bytes = first >> 4 == 4 ? (first & 0xf) * 4u : 40u;
    if (bpf_skb_load_bytes(skb, ip_bytes + 4, ret_seq, sizeof(*ret_seq)) < 0 ||
        bpf_skb_load_bytes(skb, ip_bytes + 12, &data_offset, 1) < 0)
        return 0;
    return ip_bytes + (data_offset >> 4) * 4u;
}

static __always_inline void on_status(struct call_socket *socket, u32 status)
{
    struct call_stats *stats = call_stats_of(socket);
    u64 call = socket->call;

    if (!stats || status < 200)
        return;
    socket->http_failed = 0;
    if (status == 429)
        __sync_fetch_and_add(&stats->throttled, 1);
    if (status < 500)
        return;
    socket->http_failed = 1;
    /* One that timed out before has failed already; its status is still counted. */
    if (call & CALL_FLAG_TIMED_OUT)
        __sync_fetch_and_add(&stats->failures[CALL_HTTP_5XX], 1);
    else
        call_failed(socket, stats, CALL_HTTP_5XX, call, bpf_ktime_get_ns());
}

#endif
