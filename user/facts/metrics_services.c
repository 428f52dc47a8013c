/* Services, upstreams, circuit breakers, active checks. */
#include "facts/breaker_entry.h"
#include "facts/endpoint_rows.h"
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/performance_rows.h"

void metrics_services(struct metrics_page *page)
{
    const struct facts *f = page->facts;

    metric_table(page->e, &performance_row_table,
                 &(const struct metric_rows){f->performance, sizeof(*f->performance),
                                             f->performance_count, 0});
    metric_table(
        page->e, &breaker_table,
        &(const struct metric_rows){f->breakers, sizeof(*f->breakers), f->breaker_count, 0});
    metric_table(
        page->e, &endpoint_row_table,
        &(const struct metric_rows){f->endpoints, sizeof(*f->endpoints), f->endpoint_count, 0});
}
