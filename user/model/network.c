#include "model/network.h"
#include "base/names.h"
#include "model/histogram.h"

const char *const tcp_role_names[] = {
    [TCP_CLIENT] = "client",
    [TCP_SERVER] = "server",
    NULL,
};
NAMES_OF(tcp_role_names, TCP_ROLE_COUNT);

void tcp_stats_add(struct tcp_stats *total, const struct tcp_stats *s)
{
    latency_add(&total->connect, &s->connect);
    latency_add(&total->lifetime, &s->lifetime);
    latency_add(&total->rtt, &s->rtt);
    for (int f = 0; f < CONNECT_FAILURE_COUNT; f++)
        total->connects_failed[f] += s->connects_failed[f];
    total->opened += s->opened;
    total->closed += s->closed;
    total->bytes_sent += s->bytes_sent;
    total->bytes_received += s->bytes_received;
    total->retransmits += s->retransmits;
    total->resets_sent += s->resets_sent;
    total->resets_received += s->resets_received;
}
