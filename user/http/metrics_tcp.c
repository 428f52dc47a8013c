/* TCP by port. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include "http/port_rows.h"
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
#define PORT_COLUMNS 7

static void add_port_histograms(struct exposition *e, const struct tcp_port *ports, size_t count)
{
    static const struct {
        struct metric_family family;
        size_t at;
        bool clients_only;
    } histograms[] = {
        {{"moonwatch_tcp_connect_seconds", METRIC_HISTOGRAM,
          "Connects from the first SYN to established, by remote port."},
         offsetof(struct tcp_port, stats.connect),
         true},
        {{"moonwatch_tcp_rtt_seconds", METRIC_HISTOGRAM,
          "Smoothed round-trip time, read when a connection is established and when it closes."},
         offsetof(struct tcp_port, stats.rtt),
         false},
        {{"moonwatch_tcp_lifetime_seconds", METRIC_HISTOGRAM,
          "Connections from established to closed."},
         offsetof(struct tcp_port, stats.lifetime),
         false},
    };
    struct label labels[METRIC_LABELS_MAX];
    char scratch[METRIC_SCRATCH_BYTES];

    METRIC_TABLE(histograms, "role port ", NEED_TCP);
    for (size_t h = 0; h < sizeof(histograms) / sizeof(histograms[0]); h++) {
        exposition_family(e, &histograms[h].family);
        for (size_t i = 0; i < count; i++) {
            size_t label_count = label_port(&ports[i], labels, scratch);
            const char *row = (const char *)&ports[i];

            if (!histograms[h].clients_only || ports[i].key.role == TCP_CLIENT)
                exposition_histogram(e, labels, label_count,
                                     (const struct latency *)(row + histograms[h].at), PORT_STEP);
        }
    }
}

static void add_failures(struct exposition *e, const struct tcp_port *ports, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_tcp_connects_failed", METRIC_COUNTER,
        "Outgoing connects that failed, by remote port and reason."};
    struct label labels[METRIC_LABELS_MAX];
    char scratch[METRIC_SCRATCH_BYTES];

    METRIC_FAMILY(e, family, "role port reason ", NEED_TCP);
    for (size_t i = 0; i < count; i++) {
        size_t n = label_port(&ports[i], labels, scratch);

        for (int f = 0; f < CONNECT_FAILURE_COUNT && ports[i].key.role == TCP_CLIENT; f++) {
            labels[n] = (struct label){"reason", connect_failure_name((enum connect_failure)f)};
            exposition_count(e, labels, n + 1, ports[i].stats.connects_failed[f]);
        }
    }
}

/* As many as fit if each were a client, in which most is counted. The rows `other` are among them.
 */
static size_t port_room(struct metrics *m, const struct exposition *e, size_t count)
{
    size_t histogram = (SLOT_COUNT - 2) / PORT_STEP + 1 + 3;
    size_t row_series = PORT_COLUMNS + CONNECT_FAILURE_COUNT + 3 * histogram;

    return metric_lists_rows(&m->lists, e, LIST_PORTS, count + TCP_ROLE_COUNT, row_series, 0);
}

void metrics_tcp(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[PORT_COLUMNS] = {
        U64_COUNTER("moonwatch_tcp_opened", "Connections established.", struct tcp_port,
                    stats.opened, 1),
        U64_COUNTER("moonwatch_tcp_closed", "Connections closed.", struct tcp_port, stats.closed,
                    1),
        U64_COUNTER("moonwatch_tcp_sent_bytes", "Bytes acknowledged, of closed connections.",
                    struct tcp_port, stats.bytes_sent, 1),
        U64_COUNTER("moonwatch_tcp_received_bytes", "Bytes received, of closed connections.",
                    struct tcp_port, stats.bytes_received, 1),
        U64_COUNTER("moonwatch_tcp_retransmits", "Segments sent again.", struct tcp_port,
                    stats.retransmits, 1),
        U64_COUNTER("moonwatch_tcp_resets_sent", "Resets sent.", struct tcp_port, stats.resets_sent,
                    1),
        U64_COUNTER("moonwatch_tcp_resets_received", "Resets received.", struct tcp_port,
                    stats.resets_received, 1),
    };
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
    METRIC_COLUMNS(
        e, columns, "role port ", NEED_TCP,
        (&(const struct metric_rows){ports, sizeof(struct tcp_port), count, label_port}));
    add_failures(e, ports, count);
    add_port_histograms(e, ports, count);
    free(chosen);
}
