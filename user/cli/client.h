/* What the commands that ask a running agent share. */
#ifndef MOONWATCH_CLI_CLIENT_H
#define MOONWATCH_CLI_CLIENT_H

#include "cli/http_client.h"
#include <cjson/cJSON.h>

/* The message of an error's body. */
const char *client_error_message(const cJSON *json);
/* What a command was told about the agent; NULL: nothing. */
struct client_options {
    const char *url, *token_file, *config;
};

/* The agent to ask. */
struct client_agent {
    struct http_url url;
    char *token; /* NULL: none */
};

/* Finds it: where the URL says, else where the configuration that `moonwatch run` would read has it
 * serve. Without a token file the agent's own token is taken, where this user may read it and the
 * agent is on this host: nobody else is told it. An exit code, after one line on stderr unless it
 * is EXIT_DONE; the caller releases `*ret` in either case. */
int client_find_agent(const struct client_options *options, struct client_agent *ret,
                      char error[HTTP_ERROR_BYTES]);
void client_release_agent(struct client_agent *agent);
/* Escapes every byte that may mean something in a path or a query. */
void client_escape(const char *text, char *out, size_t size);
/* The answer to a request as JSON with texts that a terminal may be shown; the caller deletes it,
 * and has `answer->body` no more. An error's status is an answer all the same. NULL with one line
 * in `error` when no agent can have sent it: it is no JSON or, with status 200, no object with such
 * a member, which is an array, an object or null. */
cJSON *client_read(const struct http_url *url, const char *path, struct http_answer *answer,
                   const char *member, char error[HTTP_ERROR_BYTES]);
/* To standard output; an exit code. */
int client_print_json(const cJSON *answers);

#endif
