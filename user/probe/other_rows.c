/* The rows `other` of maps that can be full: made here, so that the kernel side need not find room
 * for them when there is none. */
#include "abi/blkio.h"
#include "abi/process.h"
#include "abi/reclaim.h"
#include "abi/tcp.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

static const __u64 no_cgroup = 0;
static const struct short_key no_process;
static const struct reclaim_key reclaim_keys[] = {{.kind = RECLAIM_DIRECT},
                                                  {.kind = RECLAIM_MEMCG}};
static const struct blkio_key blkio_keys[] = {{.op = BLKIO_READ},
                                              {.op = BLKIO_WRITE},
                                              {.op = BLKIO_FLUSH},
                                              {.op = BLKIO_DISCARD},
                                              {.op = BLKIO_OTHER}};
static const struct tcp_key tcp_keys[] = {{.role = TCP_CLIENT}, {.role = TCP_SERVER}};

_Static_assert(sizeof(reclaim_keys) / sizeof(reclaim_keys[0]) == RECLAIM_KIND_COUNT &&
                   sizeof(blkio_keys) / sizeof(blkio_keys[0]) == BLKIO_OP_COUNT &&
                   sizeof(tcp_keys) / sizeof(tcp_keys[0]) == TCP_ROLE_COUNT,
               "a row for each");

#define KEYS(array) (array), sizeof((array)[0]), sizeof(array) / sizeof((array)[0])

static const struct {
    const char *map;
    const void *keys;
    size_t key_size, count;
} rows[] = {
    {"runq_cgroup", &no_cgroup, sizeof(no_cgroup), 1},
    {"blocked_cgrp", &no_cgroup, sizeof(no_cgroup), 1},
    {"process_cgrp", &no_cgroup, sizeof(no_cgroup), 1},
    {"process_short", &no_process, sizeof(no_process), 1},
    {"reclaim_cgrp", KEYS(reclaim_keys)},
    {"blkio_device", KEYS(blkio_keys)},
    {"tcp_port", KEYS(tcp_keys)},
};

size_t other_rows_count(const char *map)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].map, map) == 0)
            return rows[i].count;
    return 0;
}

int other_rows_make(const struct probe *probe, const struct kernel_map *map)
{
    size_t stride = (map->value_size + 7u) & ~7u;
    char *zero;
    int err = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].map, map->name) != 0 || rows[i].key_size != map->key_size)
            continue;
        zero = calloc(probe->possible_cpus, stride);
        if (!zero)
            return -ENOMEM;
        for (size_t k = 0; k < rows[i].count && !err; k++) {
            const char *key = (const char *)rows[i].keys + k * rows[i].key_size;

            if (bpf_map_update_elem(map->fd, key, zero, BPF_NOEXIST) < 0 && errno != EEXIST)
                err = -errno;
        }
        free(zero);
    }
    return err;
}
