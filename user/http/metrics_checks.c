/* Active checks, certificates, database connections. */
#include "http/endpoint_rows.h"
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include <stdlib.h>

#define SECONDS_PER_DAY 86400

static size_t label_check(const void *at, struct label ret[METRIC_LABELS_MAX],
                          char scratch[METRIC_SCRATCH_BYTES])
{
    const struct endpoint_row *row = at;

    (void)scratch;
    ret[0] = (struct label){"role", row->role};
    ret[1] = (struct label){"name", row->view.name};
    ret[2] = (struct label){"url", row->view.url};
    return 3;
}

/* What is not known yet has no sample. */
static void add_up(struct exposition *e, const struct endpoint_row *rows, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_endpoint_up", METRIC_GAUGE,
        "1 when the last active check was answered as expected, 0 when not."};

    METRIC_FAMILY(e, family, "role name url ", NEED_CHECKS);
    for (size_t i = 0; i < count; i++) {
        struct label labels[METRIC_LABELS_MAX];
        char scratch[METRIC_SCRATCH_BYTES];
        size_t n = label_check(&rows[i], labels, scratch);

        if (rows[i].view.status != ENDPOINT_UNKNOWN)
            exposition_count(e, labels, n, rows[i].view.status == ENDPOINT_OK);
    }
}

static void add_states(struct exposition *e, const struct endpoint_row *rows, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_database_connections", METRIC_GAUGE,
        "A database's client connections by state, as the server counts them."};

    METRIC_FAMILY(e, family, "role name url state ", NEED_CHECKS);
    for (size_t i = 0; i < count; i++) {
        const struct connections_entry *c = &rows[i].connections;
        const struct {
            const char *state;
            struct reading value;
        } states[] = {{"active", c->active},
                      {"idle", c->idle},
                      {"idle_in_transaction", c->idle_in_transaction},
                      {"other", c->other},
                      {"blocked", c->blocked}};

        for (size_t s = 0; !c->missing && s < sizeof(states) / sizeof(states[0]); s++)
            exposition_reading(e,
                               LABELS({"role", rows[i].role}, {"name", rows[i].view.name},
                                      {"url", rows[i].view.url}, {"state", states[s].state}),
                               states[s].value, 1);
    }
}

static size_t keep_databases(struct endpoint_row *rows, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!rows[i].connections.missing)
            rows[kept++] = rows[i];
    return kept;
}

static void add_checks(struct exposition *e, const struct metric_rows *rows)
{
    static const struct metric_column columns[] = {
        READING_GAUGE("moonwatch_endpoint_check_latency_seconds",
                      "How long the last successful check took.", struct endpoint_row,
                      latency_seconds, 1),
        U64_COUNTER("moonwatch_endpoint_checks", "Checks that were made.", struct endpoint_row,
                    view.runs_total, 1),
        U64_COUNTER("moonwatch_endpoint_checks_failed", "Checks that failed.", struct endpoint_row,
                    view.failed_total, 1),
        READING_GAUGE("moonwatch_endpoint_certificate_seconds",
                      "Time left of the server's certificate, in whole days.", struct endpoint_row,
                      certificate_days_left, 1.0 / SECONDS_PER_DAY),
    };

    METRIC_COLUMNS(e, columns, "role name url ", NEED_CHECKS, rows);
}

static void add_databases(struct exposition *e, const struct metric_rows *rows)
{
    static const struct metric_column columns[] = {
        U64_GAUGE("moonwatch_database_connections_open",
                  "A database's client connections, as the server counts them.",
                  struct endpoint_row, connections.open, 1),
        READING_GAUGE("moonwatch_database_connections_limit", "The most that the server takes.",
                      struct endpoint_row, connections.limit, 1),
    };

    METRIC_COLUMNS(e, columns, "role name url ", NEED_CHECKS, rows);
}

void metrics_checks(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    size_t count = s->checks ? endpoint_check_count(s->checks) : 0;
    struct endpoint_row *rows = count ? calloc(count, sizeof(*rows)) : NULL;
    struct metric_rows shown = {rows, sizeof(*rows), count, label_check};

    (void)m;
    if (!rows)
        return;
    for (size_t i = 0; i < count; i++)
        endpoint_row_fill(&rows[i], s->checks, i);
    add_up(e, rows, count);
    add_checks(e, &shown);
    shown.count = keep_databases(rows, count);
    add_states(e, rows, shown.count);
    add_databases(e, &shown);
    free(rows);
}
