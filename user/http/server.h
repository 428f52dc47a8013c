/* The HTTP interface: libmicrohttpd on the agent's own epoll loop, no thread of its own. */
#ifndef MOONWATCH_HTTP_SERVER_H
#define MOONWATCH_HTTP_SERVER_H

#include "alert/alert.h"
#include "base/host.h"
#include "base/log.h"
#include "base/loop.h"
#include "collect/collectors.h"
#include "config/config.h"
#include "endpoint/endpoint_checks.h"
#include "health/health.h"
#include "http/guesses.h"
#include "notify/notify.h"
#include "probe/probe.h"
#include "service/service.h"
#include "store/state_file.h"

/* Who did what. */
struct audit_entry {
    const char *action, *target;     /* the route's operationId, and what its path names or "" */
    const char *token, *role;        /* the token's name */
    char source[GUESS_SOURCE_BYTES]; /* the address it came from */
    char request[256];               /* the body, cut */
    unsigned status;                 /* of the answer */
};

/* What the handlers read. All borrowed for the server's life; the configuration is not in here
 * because a reload replaces it: server_stage(). */
struct server_sources {
    const struct clock *clock;
    const struct host *host;
    const struct loop *loop;
    struct log *log; /* may be NULL */
    const struct collectors *collectors;
    const struct visibility_part *visibility; /* VISIBILITY_PARTS of them */
    const struct health *health;
    const struct probe *probe;            /* may be NULL */
    const char *probe_missing;            /* why, when it is NULL */
    struct alert_manager *alerts;         /* may be NULL; /admin changes it */
    const struct notify *notify;          /* may be NULL */
    const struct state_file *alert_state; /* may be NULL */
    struct services *services;            /* may be NULL; /admin changes it */
    const char *services_missing;         /* why, when it is NULL */
    const struct endpoint_checks *checks; /* may be NULL */
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

struct server_view {
    uint64_t requests_total;
    uint64_t connections_evicted_total; /* closed to make room, the longest silent first */
    uint64_t tokens_wrong_total;        /* presented and not ours */
    uint64_t tokens_unread_total;       /* not looked at after too many of these */
    uint64_t accept_pauses_total;       /* no file could be opened for who called */
    unsigned connections;
    unsigned connection_limit;
    const char *admin_missing; /* why /admin has no local token, else NULL */
};
void server_view(const struct server *server, struct server_view *ret);

#endif
