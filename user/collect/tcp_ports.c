#include "collect/tcp_ports.h"
#include "model/histogram.h"
#include "probe/map.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The map has a value per row and possible CPU. Up to this many bytes cost some 50 us to read,
 * which is fine each second; a full map on 64 CPUs has 26 MB. */
#define EVERY_TICK_BYTES (256 * 1024)
#define LARGE_EVERY_NS (5 * NS_PER_SECOND)
/* Ticks come a little early or late. */
#define EARLY_NS (NS_PER_SECOND / 2)

/* Open addressing over keys, less than half full. */
#define INDEX_SLOTS 2048
_Static_assert(INDEX_SLOTS >= 2 * (TCP_PORTS_MAX + TCP_ROLE_COUNT) &&
                   (INDEX_SLOTS & (INDEX_SLOTS - 1)) == 0,
               "the index must keep free slots");

struct tcp_ports {
    struct probe *probe;
    struct tcp_port *rows;
    size_t count, capacity;
    uint16_t index[INDEX_SLOTS]; /* 1 + the row's number; 0: free */
    uint64_t read_ns;            /* 0: never */
    size_t bytes_read;           /* from the kernel, the last time */
    int error;                   /* while rows are added */
    const char *missing;
    char reason[96];
};

static struct tcp_port *add_port(struct tcp_ports *p, struct tcp_key key)
{
    size_t capacity = p->capacity ? p->capacity * 2 : 16;
    struct tcp_port *rows;

    if (p->count == TCP_PORTS_MAX + TCP_ROLE_COUNT)
        return NULL; /* the map was made anew under us */
    if (p->count == p->capacity) {
        rows = reallocarray(p->rows, capacity, sizeof(*rows));
        if (!rows)
            return NULL;
        p->rows = rows;
        p->capacity = capacity;
    }
    p->rows[p->count] = (struct tcp_port){.key = key};
    return &p->rows[p->count++];
}

static struct tcp_port *find_port(struct tcp_ports *p, struct tcp_key key)
{
    uint32_t hash = ((uint32_t)key.port << 1 | key.role) * 2654435761u >> 16;
    struct tcp_port *row;
    uint16_t *slot;

    for (;; hash++) {
        slot = &p->index[hash & (INDEX_SLOTS - 1)];
        if (!*slot)
            break;
        row = &p->rows[*slot - 1];
        if (row->key.port == key.port && row->key.role == key.role)
            return row;
    }
    row = add_port(p, key);
    if (row)
        *slot = (uint16_t)p->count;
    return row;
}

static void add_stats(struct tcp_stats *total, const struct tcp_stats *s)
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

static void on_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct tcp_ports *p = ctx;
    struct tcp_stats stats;
    struct tcp_port *row;
    struct tcp_key k;

    memcpy(&k, key, sizeof(k));
    row = find_port(p, k);
    if (!row) {
        p->error = -ENOMEM;
        return;
    }
    memset(&row->stats, 0, sizeof(row->stats));
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        memcpy(&stats, (const char *)values + cpu * stride, sizeof(stats));
        add_stats(&row->stats, &stats);
    }
    p->bytes_read += cpus * stride;
}

static const char *read_map(struct tcp_ports *p)
{
    const char *why;
    int err;

    if (!p->probe)
        return "no BPF";
    if (!probe_concern_active(p->probe, CONCERN_TCP, &why))
        return why;
    p->bytes_read = 0;
    p->error = 0;
    err = probe_map_for_each(p->probe, "tcp_port", on_row, p);
    if (err >= 0)
        err = p->error;
    if (!err)
        return NULL;
    snprintf(p->reason, sizeof(p->reason), "map tcp_port: %s", strerror(-err));
    return p->reason;
}

void tcp_ports_sample(struct tcp_ports *p, uint64_t now_ns, struct network_snapshot *network)
{
    if (!p->read_ns || p->bytes_read <= EVERY_TICK_BYTES ||
        now_ns + EARLY_NS - p->read_ns >= LARGE_EVERY_NS) {
        p->missing = read_map(p);
        p->read_ns = now_ns;
    }
    network->ports_missing = p->missing;
    network->port_count = p->missing ? 0 : p->count;
    network->ports = p->rows;
}

int tcp_ports_create(struct tcp_ports **ret, struct probe *probe)
{
    struct tcp_ports *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->probe = probe;
    *ret = p;
    return 0;
}

void tcp_ports_destroy(struct tcp_ports *p)
{
    if (!p)
        return;
    free(p->rows);
    free(p);
}
