/* Metric families as tables: a row per family says which field of a struct it is. */
#ifndef MOONWATCH_HTTP_METRICS_TABLE_H
#define MOONWATCH_HTTP_METRICS_TABLE_H

#include "http/exposition.h"
#include <stddef.h>

enum column_kind { COLUMN_READING, COLUMN_DOUBLE, COLUMN_U64 };

struct metric_column {
    struct metric_family family;
    enum column_kind kind;
    size_t at;      /* of the field in the row's struct */
    double divisor; /* from the base unit; COLUMN_U64 with 1 is written as an integer */
};

#define METRIC_LABELS_MAX 4
#define METRIC_SCRATCH_BYTES 32

/* Fills the row's labels and returns their number; `scratch` lives as long as they do. */
typedef size_t metric_label_fn(const void *row, struct label ret[METRIC_LABELS_MAX],
                               char scratch[METRIC_SCRATCH_BYTES]);

struct metric_rows {
    const void *rows;
    size_t stride, count;
    metric_label_fn *label; /* NULL: no labels */
};

/* Family by family, row by row. */
void metric_columns(struct exposition *e, const struct metric_column *columns, size_t column_count,
                    const struct metric_rows *rows);

/* Of a table that is declared, see model/metric.h. */
#define METRIC_TABLE(columns, labels, need)                                                        \
    METRIC_DECLARE(&(columns)[0].family, sizeof((columns)[0]),                                     \
                   sizeof(columns) / sizeof((columns)[0]), labels, need)

#define METRIC_COLUMNS(e, columns, labels, need, rows)                                             \
    do {                                                                                           \
        METRIC_TABLE(columns, labels, need);                                                       \
        metric_columns((e), (columns), sizeof(columns) / sizeof((columns)[0]), (rows));            \
    } while (0)

#define READING_GAUGE(name, help, type, field, divisor)                                            \
    {                                                                                              \
        {(name), METRIC_GAUGE, (help)}, COLUMN_READING, offsetof(type, field), (divisor)           \
    }
#define READING_COUNTER(name, help, type, field, divisor)                                          \
    {                                                                                              \
        {(name), METRIC_COUNTER, (help)}, COLUMN_READING, offsetof(type, field), (divisor)         \
    }
#define DOUBLE_GAUGE(name, help, type, field, divisor)                                             \
    {                                                                                              \
        {(name), METRIC_GAUGE, (help)}, COLUMN_DOUBLE, offsetof(type, field), (divisor)            \
    }
#define DOUBLE_COUNTER(name, help, type, field, divisor)                                           \
    {                                                                                              \
        {(name), METRIC_COUNTER, (help)}, COLUMN_DOUBLE, offsetof(type, field), (divisor)          \
    }
#define U64_GAUGE(name, help, type, field, divisor)                                                \
    {                                                                                              \
        {(name), METRIC_GAUGE, (help)}, COLUMN_U64, offsetof(type, field), (divisor)               \
    }
#define U64_COUNTER(name, help, type, field, divisor)                                              \
    {                                                                                              \
        {(name), METRIC_COUNTER, (help)}, COLUMN_U64, offsetof(type, field), (divisor)             \
    }

/* The JSON routes' percent as a ratio, the kernel side's nanoseconds as seconds. Divisors, since a
 * division by a whole number rounds once: 0.07, not 0.07000000000000001. */
#define FROM_PERCENT 100
#define FROM_NS 1e9

#endif
