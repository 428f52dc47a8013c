#include "http/auth.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static const char scheme[] = "Bearer ";

bool auth_host_is_local(const char *host)
{
    char name[INET6_ADDRSTRLEN + 2];
    unsigned char address[sizeof(struct in6_addr)];
    bool bracketed = *host == '[';
    size_t len = bracketed ? strcspn(++host, "]") : strcspn(host, ":");

    if (len >= sizeof(name) || (bracketed && host[len] != ']'))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    if (bracketed)
        return inet_pton(AF_INET6, name, address) == 1;
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1;
}

static bool find_token(const struct auth *auth, const char *token, enum role *ret_role)
{
    const struct token_owner *owner;
    struct token_hash presented;

    if (!*token || token_hash_of(token, strlen(token), &presented) < 0)
        return false;
    if (auth->has_local && token_hash_equal(&auth->local, &presented)) {
        *ret_role = ROLE_ADMIN;
        return true;
    }
    owner = tokens_find(auth->tokens, &presented);
    if (owner)
        *ret_role = owner->role;
    return owner;
}

struct caller auth_caller(const struct auth *auth, const char *authorization, const char *host)
{
    struct caller caller = {.role = ROLE_PUBLIC};

    /* HTTP/1.0 has no Host, browsers always send one. */
    caller.foreign_host = !auth->tokens && host && !auth_host_is_local(host);
    if (!auth->tokens && !caller.foreign_host)
        caller.role = ROLE_VIEWER;
    if (!authorization)
        return caller;
    if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0) {
        caller.bad_token = true;
        return caller;
    }
    authorization += sizeof(scheme) - 1;
    authorization += strspn(authorization, " ");
    caller.bad_token = !find_token(auth, authorization, &caller.role);
    return caller;
}
