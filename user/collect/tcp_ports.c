#include "collect/tcp_ports.h"
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

/* Rows that nothing was counted in for so long are given up: they are in `other` from then on. */
#define IDLE_NS (3600 * NS_PER_SECOND)
/* With more rows than this, those go first in which least was counted: idle ones, and at once those
 * of which no connection ever came about, which a stranger can make as many of as there are ports.
 */
#define ROWS_WANTED (TCP_PORTS_MAX / 2)
#define CROWDED_IDLE_NS (60 * NS_PER_SECOND)
#define STRANGERS_WANTED (TCP_PORTS_MAX / 8)

/* Open addressing over keys, less than half full. */
#define INDEX_SLOTS 2048
_Static_assert(INDEX_SLOTS >= 2 * (TCP_PORTS_MAX + TCP_ROLE_COUNT) &&
                   (INDEX_SLOTS & (INDEX_SLOTS - 1)) == 0,
               "the index must keep free slots");

struct row_age {
    uint64_t events, changed_ns;
    bool seen;
};

struct tcp_ports {
    struct probe *probe;
    struct tcp_port *rows;
    struct row_age *ages; /* of the row of the same number */
    size_t count, capacity;
    uint16_t index[INDEX_SLOTS]; /* 1 + the row's number; 0: free */
    struct tcp_stats given_up[TCP_ROLE_COUNT];
    bool any_given_up[TCP_ROLE_COUNT];
    uint64_t read_ns;  /* 0: never */
    size_t bytes_read; /* from the kernel, the last time */
    int error;         /* while rows are added */
    const char *missing;
    char reason[96];
};

static uint64_t connections(const struct tcp_stats *s)
{
    return s->opened + s->closed;
}

static uint64_t events(const struct tcp_stats *s)
{
    uint64_t ret = connections(s) + s->retransmits + s->resets_sent + s->resets_received;

    for (int f = 0; f < CONNECT_FAILURE_COUNT; f++)
        ret += s->connects_failed[f];
    return ret;
}

static struct tcp_port *add_port(struct tcp_ports *p, struct tcp_key key)
{
    size_t capacity = p->capacity ? p->capacity * 2 : 16;
    struct tcp_port *rows;
    struct row_age *ages;

    if (p->count == TCP_PORTS_MAX + TCP_ROLE_COUNT)
        return NULL; /* the map was made anew under us */
    if (p->count == p->capacity) {
        rows = reallocarray(p->rows, capacity, sizeof(*rows));
        if (!rows)
            return NULL;
        p->rows = rows;
        ages = reallocarray(p->ages, capacity, sizeof(*ages));
        if (!ages)
            return NULL;
        p->ages = ages;
        p->capacity = capacity;
    }
    p->rows[p->count] = (struct tcp_port){.key = key};
    p->ages[p->count] = (struct row_age){0};
    return &p->rows[p->count++];
}

static uint16_t *find_slot(struct tcp_ports *p, struct tcp_key key)
{
    uint32_t hash = ((uint32_t)key.port << 1 | key.role) * 2654435761u >> 16;

    for (;; hash++) {
        uint16_t *slot = &p->index[hash & (INDEX_SLOTS - 1)];

        if (!*slot)
            return slot;
        if (p->rows[*slot - 1].key.port == key.port && p->rows[*slot - 1].key.role == key.role)
            return slot;
    }
}

static struct tcp_port *find_port(struct tcp_ports *p, struct tcp_key key)
{
    uint16_t *slot = find_slot(p, key);
    struct tcp_port *row;

    if (*slot)
        return &p->rows[*slot - 1];
    row = add_port(p, key);
    if (row)
        *slot = (uint16_t)p->count;
    return row;
}

static void sum_cpus(struct tcp_stats *ret, const void *values, unsigned cpus, size_t stride)
{
    struct tcp_stats stats;

    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        memcpy(&stats, (const char *)values + cpu * stride, sizeof(stats));
        tcp_stats_add(ret, &stats);
    }
}

static void on_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct tcp_ports *p = ctx;
    struct tcp_port *row;
    struct tcp_key k;

    memcpy(&k, key, sizeof(k));
    row = find_port(p, k);
    if (!row) {
        p->error = -ENOMEM;
        return;
    }
    memset(&row->stats, 0, sizeof(row->stats));
    sum_cpus(&row->stats, values, cpus, stride);
    p->ages[row - p->rows].seen = true;
    p->bytes_read += cpus * stride;
}

/* Rows that are not in the map are not in the list either. */
static void keep_seen(struct tcp_ports *p, uint64_t now_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        struct row_age age = p->ages[i];
        uint64_t now_events = events(&p->rows[i].stats);

        if (!age.seen)
            continue;
        if (now_events != age.events || !age.changed_ns)
            age.changed_ns = now_ns;
        age.events = now_events;
        age.seen = false;
        p->rows[kept] = p->rows[i];
        p->ages[kept++] = age;
    }
    p->count = kept;
}

static void give_up(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct tcp_ports *p = ctx;
    struct tcp_key k;

    memcpy(&k, key, sizeof(k));
    sum_cpus(&p->given_up[k.role], values, cpus, stride);
    p->any_given_up[k.role] = true;
}

static bool give_up_row(struct tcp_ports *p, size_t i)
{
    return probe_map_take(p->probe, "tcp_port", &p->rows[i].key, give_up, p) == 0;
}

static bool is_stranger(const struct tcp_port *row)
{
    return connections(&row->stats) == 0;
}

/* Strangers first, then those in which least was counted. */
static bool goes_before(const struct tcp_ports *p, size_t a, size_t b)
{
    bool a_stranger = is_stranger(&p->rows[a]), b_stranger = is_stranger(&p->rows[b]);

    if (a_stranger != b_stranger)
        return a_stranger;
    return p->ages[a].events < p->ages[b].events;
}

static bool may_go(const struct tcp_ports *p, size_t i, uint64_t now_ns, size_t strangers)
{
    if (p->rows[i].key.port == 0 || p->rows[i].key.role >= TCP_ROLE_COUNT)
        return false;
    if (is_stranger(&p->rows[i]) && strangers > STRANGERS_WANTED)
        return true;
    return now_ns - p->ages[i].changed_ns >= CROWDED_IDLE_NS;
}

static void remove_row(struct tcp_ports *p, size_t i)
{
    p->count--;
    p->rows[i] = p->rows[p->count];
    p->ages[i] = p->ages[p->count];
}

static void make_room(struct tcp_ports *p, uint64_t now_ns)
{
    size_t strangers = 0;

    for (size_t i = 0; i < p->count; i++)
        strangers += is_stranger(&p->rows[i]);
    while (p->count > ROWS_WANTED) {
        size_t first = p->count;

        for (size_t i = 0; i < p->count; i++)
            if (may_go(p, i, now_ns, strangers) && (first == p->count || goes_before(p, i, first)))
                first = i;
        if (first == p->count)
            return;
        strangers -= is_stranger(&p->rows[first]);
        if (!give_up_row(p, first))
            return;
        remove_row(p, first);
    }
}

static void forget_idle(struct tcp_ports *p, uint64_t now_ns)
{
    for (size_t i = p->count; i-- > 0;)
        if (p->rows[i].key.port != 0 && p->rows[i].key.role < TCP_ROLE_COUNT &&
            now_ns - p->ages[i].changed_ns >= IDLE_NS && give_up_row(p, i))
            remove_row(p, i);
}

static void index_rows(struct tcp_ports *p)
{
    memset(p->index, 0, sizeof(p->index));
    for (size_t i = 0; i < p->count; i++)
        *find_slot(p, p->rows[i].key) = (uint16_t)(i + 1);
}

static void add_given_up(struct tcp_ports *p)
{
    for (int role = 0; role < TCP_ROLE_COUNT; role++) {
        struct tcp_port *other =
            p->any_given_up[role] ? find_port(p, (struct tcp_key){.role = (uint16_t)role}) : NULL;

        if (other)
            tcp_stats_add(&other->stats, &p->given_up[role]);
    }
}

static void age_rows(struct tcp_ports *p, uint64_t now_ns)
{
    keep_seen(p, now_ns);
    forget_idle(p, now_ns);
    make_room(p, now_ns);
    index_rows(p);
    add_given_up(p);
}

static const char *read_map(struct tcp_ports *p, uint64_t now_ns)
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
    if (err >= 0) {
        age_rows(p, now_ns);
        err = p->error;
    }
    if (!err)
        return NULL;
    snprintf(p->reason, sizeof(p->reason), "map tcp_port: %s", strerror(-err));
    return p->reason;
}

void tcp_ports_sample(struct tcp_ports *p, uint64_t now_ns, struct network_snapshot *network)
{
    if (!p->read_ns || p->bytes_read <= EVERY_TICK_BYTES ||
        now_ns + EARLY_NS - p->read_ns >= LARGE_EVERY_NS) {
        p->missing = read_map(p, now_ns);
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
    free(p->ages);
    free(p);
}
