/* Interfaces, connection tracking, TCP of the host. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"

static size_t label_interface(const void *row, struct label ret[METRIC_LABELS_MAX],
                              char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"interface", ((const struct interface *)row)->name};
    return 1;
}

void metrics_network(struct exposition *e, struct metrics *m, const struct facts *s)
{
    const struct network_snapshot *network = &s->snapshot->network;
    struct metric_rows rows = {network->interfaces, sizeof(struct interface), 0, label_interface,
                               0};

    if (!network->missing)
        rows.count = metric_lists_rows(&m->lists, e, LIST_INTERFACES, network->interface_count,
                                       metric_table_series(&interface_table, 0), 0);
    metric_table(e, &interface_table, &rows);
    metric_object(e, &network_table, network);
}
