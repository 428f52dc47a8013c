/* The metrics of a table of fields. */
#ifndef MOONWATCH_FACTS_METRICS_TABLE_H
#define MOONWATCH_FACTS_METRICS_TABLE_H

#include "facts/exposition.h"
#include "facts/field.h"

#define METRIC_LABELS_MAX 6
#define METRIC_SCRATCH_BYTES 32

/* Fills the row's labels and returns their number; `scratch` lives as long as they do. */
typedef size_t metric_label_fn(const void *row, struct label ret[METRIC_LABELS_MAX],
                               char scratch[METRIC_SCRATCH_BYTES]);

struct metric_rows {
    const void *rows;
    size_t stride, count;
    metric_label_fn *label; /* NULL: no labels */
    unsigned step;          /* of histograms, where there are too many rows for all bounds; 0: as
                               the fields say */
};

/* Family by family, row by row: of the table's fields, and of those of the objects in it. What is
 * unknown, or inside of what is, has no sample. Lists are not in it. */
void metric_table(struct exposition *e, const struct field_table *table,
                  const struct metric_rows *rows);
/* The same of one object, without labels. */
void metric_object(struct exposition *e, const struct field_table *table, const void *object);
/* The most samples that one row has. */
size_t metric_table_series(const struct field_table *table, unsigned step);

#endif
