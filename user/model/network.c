#include "model/network.h"
#include "model/histogram.h"

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
