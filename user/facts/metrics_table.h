/* The metrics of a table of fields. */
#ifndef MOONWATCH_FACTS_METRICS_TABLE_H
#define MOONWATCH_FACTS_METRICS_TABLE_H

#include "facts/exposition.h"
#include "facts/field.h"

struct metric_rows {
    const void *rows;
    size_t stride, count;
    unsigned step; /* of histograms, where there are too many rows for all bounds; 0: as the fields
                      say */
};

/* Family by family, row by row: of the table's fields, and of those of the objects in it. What is
 * unknown, or inside of what is, has no sample. Lists are not in it. */
void metric_table(struct exposition *e, const struct field_table *table,
                  const struct metric_rows *rows);
/* The same of one object. */
void metric_object(struct exposition *e, const struct field_table *table, const void *object);
/* The most samples that one row has. */
size_t metric_table_series(const struct field_table *table, unsigned step);

#endif
