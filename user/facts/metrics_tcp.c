/* TCP by port. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/port_rows.h"
#include "facts/tables.h"
#include <stdio.h>
#include <stdlib.h>

static size_t label_port(const void *row, struct label ret[METRIC_LABELS_MAX],
                         char scratch[METRIC_SCRATCH_BYTES])
{
    static const char *const roles[TCP_ROLE_COUNT] = {
        [TCP_CLIENT] = "client",
        [TCP_SERVER] = "server",
    };
    const struct tcp_port *port = row;

    snprintf(scratch, METRIC_SCRATCH_BYTES, "%u", port->key.port);
    ret[0] = (struct label){"role", port->key.role < TCP_ROLE_COUNT ? roles[port->key.role] : ""};
    ret[1] = (struct label){"port", port->key.port ? scratch : "other"};
    return 2;
}

/* Every third bound: a factor of eight is enough to tell a local peer from a far or an ill one, and
 * there may be a port per service. */
#define PORT_STEP 3

/* As many as fit if each were a client, in which most is counted. The rows `other` are among them.
 */
static size_t port_room(struct metrics *m, const struct exposition *e, size_t count)
{
    return metric_lists_rows(&m->lists, e, LIST_PORTS, count + TCP_ROLE_COUNT,
                             metric_table_series(&tcp_port_table, PORT_STEP), 0);
}

void metrics_tcp(struct exposition *e, struct metrics *m, const struct facts *s)
{
    const struct network_snapshot *network = &s->snapshot->network;
    struct tcp_port *chosen = NULL;
    const struct tcp_port *ports = network->ports;
    size_t count = network->port_count;

    if (network->ports_missing)
        return;
    if (!e->sink) {
        chosen = port_rows_choose(m->ports, network, port_room(m, e, count), &count);
        if (!chosen)
            count = 0;
        ports = chosen;
        m->lists.omitted[LIST_PORTS] =
            network->port_count > count ? network->port_count - count : 0;
    }
    metric_table(
        e, &tcp_port_table,
        &(const struct metric_rows){ports, sizeof(struct tcp_port), count, label_port, PORT_STEP});
    free(chosen);
}
