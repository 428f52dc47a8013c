#include "facts/port_rows.h"
#include <stdlib.h>
#include <string.h>

/* A connection that came about says more than one that was refused: those cost a stranger nothing.
 */
#define CONNECTION_WEIGHT 8

_Static_assert(sizeof(struct tcp_stats) % sizeof(uint64_t) == 0, "counters only");

static uint64_t trouble_of(const struct tcp_stats *s)
{
    uint64_t ret = s->retransmits + s->resets_sent + s->resets_received;

    for (int f = 0; f < CONNECT_FAILURE_COUNT; f++)
        ret += s->connects_failed[f];
    return ret;
}

static size_t gather(const struct network_snapshot *network, uint16_t role,
                     struct told_source *sources, struct tcp_stats *ret_total, bool *ret_any)
{
    size_t count = 0;

    *ret_any = false;
    memset(ret_total, 0, sizeof(*ret_total));
    for (size_t i = 0; i < network->port_count; i++) {
        const struct tcp_port *port = &network->ports[i];
        uint64_t connections = port->stats.opened + port->stats.closed;

        if (port->key.role != role)
            continue;
        *ret_any = true;
        tcp_stats_add(ret_total, &port->stats);
        if (port->key.port == 0)
            continue;
        sources[count++] = (struct told_source){
            .key = port->key.port,
            .weight = CONNECTION_WEIGHT * connections + trouble_of(&port->stats),
            .guest = connections == 0,
            .counters = &port->stats,
        };
    }
    return count;
}

static size_t add_role(struct tcp_port *ret, const struct told_rows *told, uint16_t role)
{
    for (size_t i = 0; i < told->count; i++) {
        ret[i].key = (struct tcp_key){(uint16_t)told->rows[i].key, role};
        memcpy(&ret[i].stats, told->rows[i].now, sizeof(ret[i].stats));
    }
    ret[told->count].key = (struct tcp_key){0, role};
    memcpy(&ret[told->count].stats, told_rows_other(told), sizeof(ret->stats));
    return told->count + 1;
}

/* What one role does not need, the other may have. */
static size_t room_of(size_t wanted, size_t other_wanted, size_t max)
{
    size_t half = max / 2;

    if (other_wanted < half)
        half = max - other_wanted;
    return wanted < half ? wanted : half;
}

struct tcp_port *port_rows_choose(struct told_rows told[TCP_ROLE_COUNT],
                                  const struct network_snapshot *network, size_t max,
                                  size_t *ret_count)
{
    struct told_source *sources[TCP_ROLE_COUNT] = {NULL};
    size_t wanted[TCP_ROLE_COUNT] = {0}, count = 0;
    struct tcp_stats totals[TCP_ROLE_COUNT];
    bool any[TCP_ROLE_COUNT] = {false};
    struct tcp_port *ret = calloc(network->port_count + TCP_ROLE_COUNT, sizeof(*ret));
    bool ok = ret != NULL;

    max = max > TCP_ROLE_COUNT ? max - TCP_ROLE_COUNT : 0;
    for (int role = 0; role < TCP_ROLE_COUNT; role++) {
        sources[role] = calloc(network->port_count + 1, sizeof(*sources[role]));
        ok = ok && sources[role];
        if (ok)
            wanted[role] =
                gather(network, (uint16_t)role, sources[role], &totals[role], &any[role]);
    }
    for (int role = 0; ok && role < TCP_ROLE_COUNT; role++) {
        size_t room = room_of(wanted[role], wanted[TCP_ROLE_COUNT - 1 - role], max);

        ok = told_rows_update(&told[role], sources[role], wanted[role], room, &totals[role]);
        if (ok && any[role])
            count += add_role(ret + count, &told[role], (uint16_t)role);
    }
    for (int role = 0; role < TCP_ROLE_COUNT; role++)
        free(sources[role]);
    if (!ok) {
        free(ret);
        return NULL;
    }
    *ret_count = count;
    return ret;
}
