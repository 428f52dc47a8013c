/* Failed connects: why, one count, one record. */
#ifndef MOONWATCH_TCP_FAILURE_BPF_H
#define MOONWATCH_TCP_FAILURE_BPF_H

#include "lib/connect_error.bpf.h"
#include "tcp/rows.bpf.h"
#include <bpf/bpf_core_read.h>

/* Counts the failure. Returns a record to complete and submit, or NULL. */
static __always_inline struct record_connect_failed *connect_failed(u16 port, u32 error)
{
    struct tcp_stats *row = tcp_row(port, TCP_CLIENT);
    u32 reason = connect_failure_of(error);
    struct record_connect_failed *record;

    if (row && reason < CONNECT_FAILURE_COUNT)
        __sync_fetch_and_add(&row->connects_failed[reason], 1);
    record = emit_reserve(RECORD_CONNECT_FAILED, sizeof(*record));
    if (!record)
        return NULL;
    record->cgroup_id = 0;
    record->elapsed_ns = 0;
    record->pid = 0;
    record->reason = reason;
    record->remote_port = port;
    record->error = error;
    __builtin_memset(record->remote_addr, 0, sizeof(record->remote_addr));
    __builtin_memset(record->comm, 0, sizeof(record->comm));
    return record;
}

/* In the context of who connects. */
static __always_inline void set_caller(struct record_connect_failed *record)
{
    record->cgroup_id = bpf_get_current_cgroup_id();
    record->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(record->comm, sizeof(record->comm));
}

static __always_inline void set_remote4(struct record_connect_failed *record, u32 address)
{
    record->family = AF_INET;
    __builtin_memcpy(record->remote_addr, &address, sizeof(address));
}

static __always_inline void set_remote6(struct record_connect_failed *record,
                                        const struct in6_addr *address)
{
    u32 words[4] = {};

    bpf_core_read(words, sizeof(words), address);
    if (!words[0] && !words[1] && words[2] == bpf_htonl(0xffff)) {
        set_remote4(record, words[3]);
        return;
    }
    record->family = AF_INET6;
    __builtin_memcpy(record->remote_addr, words, sizeof(words));
}

#endif
