/* What a request brings, read with care. */
#ifndef MOONWATCH_HTTP_REQUEST_H
#define MOONWATCH_HTTP_REQUEST_H

#include "http/body.h"

#define REQUEST_ERROR_BYTES 200
#define REQUEST_STRING_MAX 256 /* of a FIELD_STRING, in bytes */

/* The body as an object that has only fields of the table, of their types: FIELD_STRING,
 * FIELD_STRINGS (or one string) and FIELD_DOUBLE, all optional here. One that was not sent is {}.
 * The caller deletes it. -EINVAL with `error`; -ENOMEM. */
int request_parse(const struct body_env *env, const struct field_table *takes, cJSON **ret,
                  char error[REQUEST_ERROR_BYTES]);

/* NULL: not given. */
const char *request_string(const cJSON *json, const char *key);
/* NaN: not given. */
double request_number(const cJSON *json, const char *key);

#endif
