/* TCP by port. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/port_rows.h"
#include "facts/tables.h"
#include <stdio.h>
#include <stdlib.h>

/* Every third bound: a factor of eight is enough to tell a local peer from a far or an ill one, and
 * there may be a port per service. */
#define PORT_STEP 3

/* As many as fit if each were a client, in which most is counted. The rows `other` are among them.
 */
static size_t port_room(struct metrics_page *page, size_t count)
{
    return metric_lists_rows(&page->metrics->lists, page->e, LIST_PORTS, count + TCP_ROLE_COUNT,
                             metric_table_series(&tcp_port_table, PORT_STEP), 0);
}

void metrics_tcp(struct metrics_page *page)
{
    const struct network_snapshot *network = &page->facts->snapshot->network;
    struct tcp_port *chosen = NULL;
    const struct tcp_port *ports = network->ports;
    size_t count = network->port_count;

    if (network->ports_missing)
        return;
    if (!page->e->sink) {
        chosen = port_rows_choose(page->metrics->ports, network, port_room(page, count), &count);
        if (!chosen)
            count = 0;
        ports = chosen;
        page->metrics->lists.omitted[LIST_PORTS] =
            network->port_count > count ? network->port_count - count : 0;
    }
    metric_table(page->e, &tcp_port_table,
                 &(const struct metric_rows){ports, sizeof(struct tcp_port), count, PORT_STEP});
    free(chosen);
}
