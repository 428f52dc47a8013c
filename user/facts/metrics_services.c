/* Services, upstreams, circuit breakers, active checks. */
#include "facts/breaker_entry.h"
#include "facts/endpoint_rows.h"
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/performance_rows.h"

static size_t label_service(const void *row, struct label ret[METRIC_LABELS_MAX],
                            char scratch[METRIC_SCRATCH_BYTES])
{
    const struct performance_row *service = row;

    (void)scratch;
    ret[0] = (struct label){"role", service->role};
    ret[1] = (struct label){"name", service->name};
    return 2;
}

void metrics_services(struct exposition *e, struct metrics *m, const struct facts *s)
{
    (void)m;
    metric_table(e, &performance_row_table,
                 &(const struct metric_rows){s->performance, sizeof(*s->performance),
                                             s->performance_count, label_service, 0});
}

static size_t label_breaker(const void *row, struct label ret[METRIC_LABELS_MAX],
                            char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"upstream", ((const struct breaker_entry *)row)->name};
    return 1;
}

void metrics_breakers(struct exposition *e, struct metrics *m, const struct facts *s)
{
    (void)m;
    metric_table(e, &breaker_table,
                 &(const struct metric_rows){s->breakers, sizeof(*s->breakers), s->breaker_count,
                                             label_breaker, 0});
}

static size_t label_endpoint(const void *at, struct label ret[METRIC_LABELS_MAX],
                             char scratch[METRIC_SCRATCH_BYTES])
{
    const struct endpoint_row *row = at;

    (void)scratch;
    ret[0] = (struct label){"role", row->role};
    ret[1] = (struct label){"name", row->view.name};
    ret[2] = (struct label){"url", row->view.url};
    return 3;
}

void metrics_checks(struct exposition *e, struct metrics *m, const struct facts *s)
{
    (void)m;
    metric_table(e, &endpoint_row_table,
                 &(const struct metric_rows){s->endpoints, sizeof(*s->endpoints), s->endpoint_count,
                                             label_endpoint, 0});
}
