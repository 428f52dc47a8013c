/* The HTTP interface: libmicrohttpd on the agent's own epoll loop, no thread of its own. */
#ifndef MOONWATCH_HTTP_SERVER_H
#define MOONWATCH_HTTP_SERVER_H

#include "base/loop.h"
#include "config/config.h"
#include "facts/facts.h"
#include "http/guesses.h"

/* Who did what. */
struct audit_entry {
    const char *action, *target;     /* the route's operationId, and what its path names or "" */
    const char *token, *role;        /* the token's name */
    char source[GUESS_SOURCE_BYTES]; /* the address it came from */
    char request[256];               /* the body, cut */
    unsigned status;                 /* of the answer */
};

/* What the handlers read, and whom they tell. All borrowed for the server's life. */
struct server_sources {
    struct facts *facts;           /* the server adds itself, until it is destroyed */
    const char *runtime_directory; /* where admin.token is written; NULL: /admin stays closed */
    /* POST /admin/reload: 0, or a negative errno with one line in `error`. It may stage
     * and commit. */
    int (*reload)(void *ctx, char *error, size_t size);
    /* An administrator's request was answered, and tokens were wrong; may be NULL. */
    void (*audited)(void *ctx, const struct audit_entry *entry);
    void (*login_failed)(void *ctx, const struct guess_report *report);
    void *audit_ctx;          /* of these two */
    void (*acted)(void *ctx); /* after a request that may have changed something; may be NULL */
    void *ctx;
};

struct server;

#define SERVER_ERROR_BYTES 256

/* Listens where `config->server.listen` says. `error` holds one line for the operator on failure:
 * -EADDRINUSE, -EACCES (a non-loopback address without tokens), ... `config` is borrowed for the
 * call only. */
int server_create(struct server **ret, struct loop *loop, const struct config *config,
                  const struct server_sources *sources, char error[SERVER_ERROR_BYTES]);
void server_destroy(struct server *server);
/* A reload, as struct config_part says: new tokens and names. The listening address and the
 * connection limits stay as they were at the start. An error is an unreadable tokens file, or
 * tokens taken away from a server that listens beyond loopback. `config` is borrowed for the call
 * only. */
int server_stage(struct server *server, const struct config *config,
                 char error[SERVER_ERROR_BYTES]);
void server_unstage(struct server *server);
void server_commit(struct server *server);
/* The address really bound, "127.0.0.1:8000". */
const char *server_address(const struct server *server);

#endif
