/* JSON bodies as tables: one table per object renders it from a C structure and describes it in
 * /openapi.json, so that the two cannot drift apart.
 *
 * Unknown values, everywhere: a scalar or an object that is not known is `null`, and beside KEY
 * stands KEY_reason with the reason. A list is always a list; KEY_reason beside it says why it is
 * empty or incomplete. KEY_reason is absent when the value is known. Beside an unknown number may
 * stand KEY_stale: what it last was, and for how long it has not been known.
 */
#ifndef MOONWATCH_HTTP_FIELDS_H
#define MOONWATCH_HTTP_FIELDS_H

#include "model/reading.h"
#include "model/status.h"
#include <cjson/cJSON.h>
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
    FIELD_LATENCY,  /* struct latency: count, mean, quantiles */
    FIELD_OBJECT,   /* a structure in place, `table` */
    FIELD_MERGE,    /* const pointer to a structure whose fields stand in this object, `table` */
    FIELD_LIST,     /* const pointer to rows, `table`, `count_offset`, `stride` */
    FIELD_ROWS,     /* rows in place, likewise */
    FIELD_KIND_COUNT,
};

/* Size of the buffer a `text` function may write to. */
#define FIELD_TEXT_BYTES 320

typedef const char *field_text_fn(const void *object, const void *ctx,
                                  char buffer[FIELD_TEXT_BYTES]);

struct field_table;

/* `missing_at` and `table->missing_at` are offsets + 1 of a `const char *` that says why the field
 * (the whole object) is unknown, NULL when it is known; 0: there is none. */
struct field {
    const char *key; /* NULL for FIELD_MERGE */
    const char *about;
    const char *unknown; /* reason of an unknown value that has none of its own */
    field_text_fn *text;
    const char *const *choices; /* of FIELD_TEXT: every possible value, NULL at the end */
    const struct field_table *table;
    size_t offset, count_offset, stride, missing_at;
    enum field_kind kind;
    unsigned char decimals;
    bool optional; /* of what is taken: may be left out */
    bool identity; /* known even when the object's figures are not */
};

struct field_table {
    const char *name; /* of the schema in /openapi.json */
    const char *about;
    const struct field *fields;
    size_t count, missing_at;
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

/* Adds the table's fields to `out`. `ctx` goes to the `text` functions. Returns 0 or -ENOMEM. */
int fields_render(cJSON *out, const struct field_table *table, const void *object, const void *ctx);

/* The JSON schema (2020-12, as in OpenAPI 3.1) of the table as a new object; tables it refers to
 * are added to `schemas` under their names unless they are there. NULL when memory ran out. */
cJSON *fields_schema(const struct field_table *table, cJSON *schemas);

/* The table of FIELD_LATENCY. */
extern const struct field_table latency_table;

#endif
