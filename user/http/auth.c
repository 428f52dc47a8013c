#include "http/auth.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

static const char scheme[] = "Bearer ";

static bool is_address(const char *name, size_t len, int family)
{
    unsigned char address[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];

    if (len >= sizeof(text))
        return false;
    memcpy(text, name, len);
    text[len] = '\0';
    return inet_pton(family, text, address) == 1;
}

static bool equals(const char *host, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(host, name, len) == 0;
}

/* By its whole name or, as people type it, by the first part. */
static bool is_machine(const char *host, size_t len, const char *machine)
{
    size_t first = machine ? strcspn(machine, ".") : 0;

    return first > 0 &&
           (equals(host, len, machine) || (len == first && strncasecmp(host, machine, len) == 0));
}

/* What follows the host: nothing, or a port. */
static bool is_end(const char *rest)
{
    size_t digits = *rest == ':' ? strspn(rest + 1, "0123456789") : 0;

    return !*rest || (*rest == ':' && digits <= 5 && !rest[1 + digits]);
}

bool auth_host_is_ours(const struct auth_hosts *hosts, const char *host)
{
    size_t len = strcspn(host, ":");

    if (*host == '[') {
        len = strcspn(host, "]");
        return host[len] == ']' && is_address(host + 1, len - 1, AF_INET6) &&
               is_end(host + len + 1);
    }
    if (!is_end(host + len))
        return false;
    for (size_t i = 0; i < hosts->count; i++)
        if (equals(host, len, hosts->allowed[i]))
            return true;
    return equals(host, len, "localhost") || is_address(host, len, AF_INET) ||
           is_machine(host, len, hosts->machine);
}

/* Browsers send Origin, "https://name:port" or "null", with what a page asks by script. */
static bool origin_is_other(const struct auth_hosts *hosts, const struct auth_headers *headers)
{
    const char *rest = headers->origin ? strstr(headers->origin, "://") : NULL;

    if (!headers->origin)
        return false;
    if (!rest)
        return true;
    rest += strlen("://");
    if (headers->host && strcasecmp(rest, headers->host) == 0)
        return false;
    /* A proxy may change Host, and browsers never Origin. */
    for (size_t i = 0; i < hosts->count; i++)
        if (equals(rest, strcspn(rest, ":"), hosts->allowed[i]) &&
            is_end(rest + strcspn(rest, ":")))
            return false;
    return true;
}

/* An image, a frame or a script of another site; a link that somebody follows is none. */
static bool fetch_is_other(const struct auth_headers *headers)
{
    bool followed = headers->fetch_mode && strcmp(headers->fetch_mode, "navigate") == 0 &&
                    headers->fetch_dest && strcmp(headers->fetch_dest, "document") == 0;

    return headers->fetch_site && strcmp(headers->fetch_site, "cross-site") == 0 && !followed;
}

static void find_token(const struct auth *auth, const char *token, struct caller *caller)
{
    const struct token_owner *owner;
    struct token_hash presented;

    caller->bad_token = true;
    if (!*token || token_hash_of(token, strlen(token), &presented) < 0)
        return;
    if (auth->has_local && token_hash_equal(&auth->local, &presented)) {
        caller->role = ROLE_ADMIN;
        snprintf(caller->name, sizeof(caller->name), "%s", TOKEN_LOCAL_NAME);
        caller->is_local = true;
        caller->bad_token = false;
        return;
    }
    owner = tokens_find(auth->tokens, &presented);
    if (!owner)
        return;
    caller->role = owner->role;
    memcpy(caller->name, owner->name, sizeof(caller->name));
    caller->bad_token = false;
}

struct caller auth_caller(const struct auth *auth, const struct auth_headers *headers)
{
    const char *authorization = headers->authorization;
    struct caller caller = {.role = ROLE_PUBLIC};

    /* HTTP/1.0 has no Host, browsers always send one. With tokens a page that was made to point
     * here has none, and a proxy may pass its own name on. */
    caller.foreign_host =
        !auth->tokens && headers->host && !auth_host_is_ours(&auth->hosts, headers->host);
    caller.cross_site = origin_is_other(&auth->hosts, headers) || fetch_is_other(headers);
    if (!auth->tokens && !caller.foreign_host && !caller.cross_site)
        caller.role = ROLE_VIEWER;
    if (!authorization)
        return caller;
    if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0) {
        caller.bad_token = true;
        return caller;
    }
    authorization += sizeof(scheme) - 1;
    authorization += strspn(authorization, " ");
    find_token(auth, authorization, &caller);
    return caller;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

void auth_hosts_name_machine(struct auth_hosts *hosts)
{
    struct utsname name;

    if (uname(&name) == 0 && *name.nodename)
        hosts->machine = strdup(name.nodename);
}

int auth_hosts_set(struct auth_hosts *hosts, char *const *names, size_t count)
{
    char **copy = calloc(count + 1, sizeof(*copy));

    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(names[i]);
        if (!copy[i]) {
            free_names(copy, i);
            copy = NULL;
        }
    }
    if (!copy)
        return -ENOMEM;
    free_names(hosts->allowed, hosts->count);
    hosts->allowed = copy;
    hosts->count = count;
    return 0;
}

void auth_hosts_take(struct auth_hosts *hosts, struct auth_hosts *from)
{
    free_names(hosts->allowed, hosts->count);
    hosts->allowed = from->allowed;
    hosts->count = from->count;
    from->allowed = NULL;
    from->count = 0;
}

void auth_hosts_free(struct auth_hosts *hosts)
{
    free_names(hosts->allowed, hosts->count);
    free(hosts->machine);
    *hosts = (struct auth_hosts){0};
}
