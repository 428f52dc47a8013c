/* The rows of the BPF map tcp_port, summed over the CPUs. */
#ifndef MOONWATCH_COLLECT_TCP_PORTS_H
#define MOONWATCH_COLLECT_TCP_PORTS_H

#include "model/network.h"
#include "probe/probe.h"

struct tcp_ports;

/* `probe` may be NULL. */
int tcp_ports_create(struct tcp_ports **ret, struct probe *probe);
void tcp_ports_destroy(struct tcp_ports *ports);
/* Fills `ports`, `port_count` and `ports_missing`. Rows that are idle for an hour, or that crowd
 * the map, are deleted from it; what they counted is in the row of port 0. With many rows and CPUs
 * they are read every 5 s only. */
void tcp_ports_sample(struct tcp_ports *ports, uint64_t now_ns, struct network_snapshot *network);

#endif
