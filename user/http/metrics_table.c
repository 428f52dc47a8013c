#include "http/metrics_table.h"
#include <stdint.h>

static void add_field(struct exposition *e, const struct metric_column *column, const char *row,
                      const struct label *labels, size_t label_count)
{
    const void *field = row + column->at;

    switch (column->kind) {
    case COLUMN_READING:
        exposition_reading(e, labels, label_count, *(const struct reading *)field, column->divisor);
        break;
    case COLUMN_DOUBLE:
        exposition_sample(e, labels, label_count, *(const double *)field / column->divisor);
        break;
    case COLUMN_U64:
        if (column->divisor == 1)
            exposition_count(e, labels, label_count, *(const uint64_t *)field);
        else
            exposition_sample(e, labels, label_count,
                              (double)*(const uint64_t *)field / column->divisor);
        break;
    }
}

void metric_columns(struct exposition *e, const struct metric_column *columns, size_t column_count,
                    const struct metric_rows *rows)
{
    for (size_t c = 0; c < column_count; c++) {
        exposition_family(e, &columns[c].family);
        for (size_t r = 0; r < rows->count; r++) {
            const char *row = (const char *)rows->rows + r * rows->stride;
            struct label labels[METRIC_LABELS_MAX];
            char scratch[METRIC_SCRATCH_BYTES];
            size_t count = rows->label ? rows->label(row, labels, scratch) : 0;

            add_field(e, &columns[c], row, labels, count);
        }
    }
}
