/* What the commands that ask a running agent share. */
#ifndef MOONWATCH_CLI_CLIENT_H
#define MOONWATCH_CLI_CLIENT_H

#include "cli/http_client.h"
#include <cjson/cJSON.h>
#include <stdbool.h>

/* The message of an error's body. */
const char *client_error_message(const cJSON *json);
/* The token in the file, from malloc; NULL for no path. A negative errno after one line on stderr.
 */
int client_read_token(const char *path, char **ret);
/* The same, or when there is no path and `admin` is wanted the agent's own token, where this user
 * may read it; else NULL. */
int client_find_token(const char *path, bool admin, char **ret);
/* Escapes every byte that may mean something in a path or a query. */
void client_escape(const char *text, char *out, size_t size);
/* An answer, with texts that a terminal may be shown; NULL when it is no JSON. */
cJSON *client_parse(const char *body, size_t len);
/* To standard output; an exit code. */
int client_print_json(const cJSON *answers);

#endif
