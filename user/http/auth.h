/* Who a caller is, from what the request says. */
#ifndef MOONWATCH_HTTP_AUTH_H
#define MOONWATCH_HTTP_AUTH_H

#include "http/token.h"

struct auth {
    struct tokens *tokens; /* NULL: none configured, then the server listens on loopback only */
    bool has_local;
    struct token_hash local; /* always an admin */
};

struct caller {
    enum role role;
    bool bad_token;    /* presented one that is not ours */
    bool foreign_host; /* asked for a host name, which without tokens may be DNS rebinding */
};

/* `authorization` and `host` are the headers' values or NULL. */
struct caller auth_caller(const struct auth *auth, const char *authorization, const char *host);

/* True for an IP address or `localhost`, with or without a port: a web page whose name was made to
 * point at this host cannot send such a Host header. */
bool auth_host_is_local(const char *host);

#endif
