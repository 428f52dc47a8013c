/* One figure, one row: a table per structure says of each of its members how it is called in JSON
 * and in /metrics, and what it is. The JSON bodies, /openapi.json, /metrics, what a figure was last
 * and the reference of the metrics are made of these tables.
 *
 * Unknown values, everywhere: a scalar or an object that is not known is `null`, and beside KEY
 * stands KEY_reason with the reason. A list is always a list; KEY_reason beside it says why it is
 * empty or incomplete. KEY_reason is absent when the value is known. Beside an unknown number may
 * stand KEY_stale: what it last was, and for how long it has not been known.
 */
#ifndef MOONWATCH_FACTS_FIELD_H
#define MOONWATCH_FACTS_FIELD_H

#include "model/metric.h"
#include "model/reading.h"
#include "model/sample.h"
#include "model/status.h"
#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_READING,  /* struct reading */
    FIELD_DOUBLE,   /* double; NaN is unknown */
    FIELD_U64,      /* uint64_t */
    FIELD_U32,      /* uint32_t */
    FIELD_I32,      /* int32_t */
    FIELD_BOOL,     /* bool */
    FIELD_CHARS,    /* char[], "" is unknown when `unknown` says why */
    FIELD_STRING,   /* const char *, NULL is unknown */
    FIELD_TEXT,     /* what `text` makes of the structure; NULL is unknown */
    FIELD_TIME,     /* uint64_t realtime ns, as RFC 3339; 0 is unknown */
    FIELD_DURATION, /* uint64_t ns, as seconds */
    FIELD_STATUS,   /* enum status */
    FIELD_STRINGS,  /* const char *[] in place, `count_offset` */
    FIELD_REASONS,  /* const struct reasons *, as a list of sentences; NULL: none */
    FIELD_LABELS,   /* const struct labels *, as an object of strings */
    FIELD_LATENCY,  /* struct latency: count, mean, quantiles; as a counter the sum, where the
                       metric is in seconds, or the count */
    FIELD_OBJECT,   /* a structure in place, `table` */
    FIELD_MERGE,    /* const pointer to a structure whose fields stand in this object, `table` */
    FIELD_LIST,     /* const pointer to rows, `table`, `count_offset`, `stride` */
    FIELD_ROWS,     /* rows in place, likewise */
    FIELD_KIND_COUNT,
};

/* Size of the buffer a `text` function may write to. */
#define FIELD_TEXT_BYTES 320

/* What a text is made of: the structure, what the body is rendered with, room. */
struct field_text {
    const void *object, *ctx;
    char buffer[FIELD_TEXT_BYTES];
};

typedef const char *field_text_fn(struct field_text *text);

struct field_table;

/* `missing_at` and `table->missing_at` are offsets + 1 of a `const char *` that says why the field
 * (the whole object) is unknown, NULL when it is known; 0: there is none. */
struct field {
    const char *key; /* NULL: not in JSON; FIELD_MERGE has none */
    const char *about;
    const char *unknown; /* reason of an unknown value that has none of its own */
    field_text_fn *text;
    const char *const *choices; /* of FIELD_TEXT: every possible value, NULL at the end */
    const struct field_table *table;
    size_t offset, count_offset, stride, missing_at;
    /* The same figure in /metrics; without a name it is not there. Rows of one family follow in its
     * order and differ in `label`. */
    struct metric_family metric;
    double divisor; /* from the field's unit to the metric's; 0: as the metric's name says */
    /* One more label: of the metric, or of all that is inside the object. Where there are
     * `choices` it has a name only: each of them is a sample, 1 for the one that it is. So has a
     * text without: its value is the label's. */
    struct label label;
    /* On the page it stands not where its row does but after this one of the table, which is named
     * by its key or its metric. */
    const char *after;
    /* What is made of it beyond telling it. The health check that judges it; whether it is watched
     * for anomalies; what a forecast is made against: a constant in its own unit, the offset + 1 of
     * the member that says it (0: nothing), or that nothing is left. */
    const char *judged;
    double limit;
    size_t limit_at;
    /* Whether this object's member, which is at `at`, is told in /metrics; NULL: always. */
    bool (*told)(const void *object, const void *at);

    enum field_kind kind;
    unsigned char decimals;
    unsigned char step; /* of FIELD_LATENCY in /metrics: every so many-th bound; 0: 1 */
    bool optional;      /* of what is taken: may be left out */
    bool identity;      /* known even when the object's figures are not */
    bool watched, runs_out;
};

#define FIELD_LABELS_MAX 6

/* The labels of a row's samples in /metrics. */
struct row_labels {
    struct label list[FIELD_LABELS_MAX];
    size_t count;
    char scratch[32]; /* for a value that has to be made */
};

static inline void row_label(struct row_labels *labels, const char *name, const char *value)
{
    labels->list[labels->count++] = (struct label){name, value};
}

struct field_table {
    const char *name; /* of the schema in /openapi.json */
    const char *about;
    const struct field *fields;
    size_t count, missing_at;
    void (*label)(const void *row, struct row_labels *ret); /* of its rows; NULL: none */
};

#define MISSING_AT(type, member) (offsetof(type, member) + 1)
#define FIELD_TABLE(schema_name, field_array, description, ...)                                    \
    {                                                                                              \
        .name = (schema_name), .about = (description), .fields = (field_array),                    \
        .count = sizeof(field_array) / sizeof((field_array)[0]), __VA_ARGS__                       \
    }

static inline bool field_is_list(const struct field *f)
{
    return f->kind == FIELD_LIST || f->kind == FIELD_ROWS || f->kind == FIELD_STRINGS ||
           f->kind == FIELD_REASONS;
}

/* The reason at `missing_at` of the object; NULL when there is none. */
static inline const char *field_reason(const void *object, size_t missing_at)
{
    return object && missing_at ? *(const char *const *)((const char *)object + missing_at - 1)
                                : NULL;
}

struct field_rows {
    const struct field *fields;
    size_t count;
};

/* Calls `fn` for the arrays whose metrics are declared. */
void field_rows_each(void (*fn)(void *ctx, const struct field_rows *rows), void *ctx);

/* The metrics of an array of fields are declared (see model/metric.h) beside it. */
#define FIELD_METRICS(field_array, label_names, what_it_needs)                                     \
    static const struct field_rows field_array##_rows = {                                          \
        (field_array), sizeof(field_array) / sizeof((field_array)[0])};                            \
    static const struct field_rows *const field_array##_told                                       \
        __attribute__((used, section("field_metrics"))) = &field_array##_rows;                     \
    METRIC_DECLARE_AT(field_array##_metrics, &(field_array)[0].metric, sizeof((field_array)[0]),   \
                      sizeof(field_array) / sizeof((field_array)[0]), label_names, what_it_needs)

#endif
