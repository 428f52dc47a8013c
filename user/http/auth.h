/* Who a caller is, from what the request says. */
#ifndef MOONWATCH_HTTP_AUTH_H
#define MOONWATCH_HTTP_AUTH_H

#include "http/token.h"

/* Names that this agent is called by, beside IP addresses and localhost: a web page whose name was
 * made to point here (DNS rebinding) sends its own. */
struct auth_hosts {
    char *machine; /* the host's name; NULL: unknown */
    size_t count;
    char **allowed; /* configured */
};

struct auth {
    struct tokens *tokens; /* NULL: none configured, then the server listens on loopback only */
    bool has_local;
    struct token_hash local; /* always an admin */
    struct auth_hosts hosts;
};

/* The values of headers, NULL: not sent. */
struct auth_headers {
    const char *authorization, *host, *origin;
    const char *fetch_site, *fetch_mode, *fetch_dest;
};

struct caller {
    enum role role;
    char name[TOKEN_NAME_BYTES]; /* of the token; "": none was accepted. A reload forgets tokens. */
    bool is_local;               /* the token is the agent's own, which cannot be guessed */
    bool bad_token;              /* presented one that is not ours */
    bool foreign_host; /* asked for a host name that is not ours, while there are no tokens */
    bool cross_site;   /* a browser asks for a page of somebody else */
};

struct caller auth_caller(const struct auth *auth, const struct auth_headers *headers);

/* True for an IP address, `localhost`, the machine's name or one that is configured, with or
 * without a port. */
bool auth_host_is_ours(const struct auth_hosts *hosts, const char *host);

/* As the kernel has it. */
void auth_hosts_name_machine(struct auth_hosts *hosts);
/* Replaces the configured names by a copy. -ENOMEM: they stay as they were. */
int auth_hosts_set(struct auth_hosts *hosts, char *const *names, size_t count);
/* Replaces the configured names by those of `from`, which then has none. */
void auth_hosts_take(struct auth_hosts *hosts, struct auth_hosts *from);
void auth_hosts_free(struct auth_hosts *hosts);

#endif
