/* Connects that fail in routing, per port and as records. */
#ifndef MOONWATCH_TCP_ROUTE_BPF_H
#define MOONWATCH_TCP_ROUTE_BPF_H

#include "lib/connect_route.bpf.h"
#include "tcp/failure.bpf.h"

static __always_inline void set_caller(struct record_connect_failed *record)
{
    record->cgroup_id = bpf_get_current_cgroup_id();
    record->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(record->comm, sizeof(record->comm));
}

#endif
