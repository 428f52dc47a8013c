/* Single values: type, range, format. Inside this layer only. */
#ifndef MOONWATCH_CONFIG_SCALAR_H
#define MOONWATCH_CONFIG_SCALAR_H

#include "config/reader.h"

/* Each adds an error at the reader's pointer and leaves `ret` alone when the value is not allowed.
 */
bool scalar_number(struct reader *reader, const struct key *key, const cJSON *json, double *ret);
bool scalar_whole(struct reader *reader, const struct key *key, const cJSON *json, unsigned *ret);
bool scalar_choice(struct reader *reader, const struct key *key, const cJSON *json, int *ret);
/* A new string, or NULL. */
char *scalar_string(struct reader *reader, const struct key *key, const cJSON *json);

/* The text of an environment variable as the JSON its key wants; a string if it does not look like
 * that. NULL: out of memory. */
cJSON *scalar_from_text(const struct key *key, const char *text);
/* "\"abc\" is not accepted (allowed: ...)" */
void scalar_not_allowed(struct reader *reader, const struct key *key, const char *value);

/* NULL when not set. `environment` may be NULL. */
const char *environment_value(char *const *environment, const char *name);

#endif
