/* Tables of fields as JSON bodies, and as the schemas of /openapi.json. */
#ifndef MOONWATCH_HTTP_FIELDS_H
#define MOONWATCH_HTTP_FIELDS_H

#include "facts/field.h"
#include <cjson/cJSON.h>

/* Adds the table's fields to `out`. `ctx` goes to the `text` functions. Returns 0 or -ENOMEM. */
int fields_render(cJSON *out, const struct field_table *table, const void *object, const void *ctx);

/* The JSON schema (2020-12, as in OpenAPI 3.1) of the table as a new object; tables it refers to
 * are added to `schemas` under their names unless they are there. NULL when memory ran out. */
cJSON *fields_schema(const struct field_table *table, cJSON *schemas);

/* The table of FIELD_LATENCY. */
extern const struct field_table latency_table;

#endif
