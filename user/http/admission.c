#include "http/admission.h"
#include <stdio.h>
#include <string.h>

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static const struct sockaddr *source_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info ? info->client_addr : NULL;
}

static uint64_t now_ns(const struct site *site)
{
    return clock_monotonic_ns(site->sources.facts->clock);
}

static enum MHD_Result unauthorized(struct MHD_Connection *connection, const struct caller *caller,
                                    enum role needed)
{
    char message[160];

    if (caller->bad_token)
        return site_refuse_with(connection, 401, "invalid_token", "the token is not known here",
                                MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Bearer realm=\"moonwatch\", error=\"invalid_token\"");
    snprintf(message, sizeof(message), "needs the token of %s %s: Authorization: Bearer TOKEN%s",
             needed == ROLE_ADMIN ? "an" : "a", role_name(needed),
             needed == ROLE_ADMIN ? " (the agent's own is in RUNTIME_DIRECTORY/admin.token)" : "");
    return site_refuse_with(connection, 401, "unauthorized", message,
                            MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"moonwatch\"");
}

static enum MHD_Result forbid(struct site *site, struct MHD_Connection *connection,
                              const struct caller *caller, const struct route *route)
{
    char message[SERVER_ERROR_BYTES + 64];

    if (caller->foreign_host)
        return site_refuse(connection, 403, "foreign_host",
                           "without tokens only requests for localhost, an IP address or this "
                           "machine's name are answered in full (a guard against DNS rebinding); "
                           "use one of these, or name it in server.allowed_hosts");
    if (caller->cross_site)
        return site_refuse(connection, 403, "cross_site",
                           "a browser asks this for a page of another site (Origin or "
                           "Sec-Fetch-Site); if that page is yours, name its host in "
                           "server.allowed_hosts");
    if (route->role == ROLE_ADMIN && !site->auth.tokens && !site->auth.has_local) {
        snprintf(message, sizeof(message), "there is no admin's token: %s",
                 site->view.admin_missing ? site->view.admin_missing : "unknown");
        return site_refuse(connection, 403, "no_admin_token", message);
    }
    if (caller->bad_token || caller->role == ROLE_PUBLIC || !site->auth.tokens)
        return unauthorized(connection, caller, route->role);
    snprintf(message, sizeof(message), "needs the role %s; the token's is %s",
             role_name(route->role), role_name(caller->role));
    return site_refuse(connection, 403, "forbidden", message);
}

static void report(void *ctx, const struct guess_report *report)
{
    const struct site *site = ctx;

    if (site->sources.login_failed)
        site->sources.login_failed(site->sources.audit_ctx, report);
}

void admission_report(struct site *site)
{
    site->guess_report_ns = guesses_report(site->guesses, now_ns(site), report, site);
}

void admission_audit(const struct site *site, struct MHD_Connection *connection,
                     const struct route *route, const struct caller *caller,
                     const struct request *request, const char *param, unsigned status)
{
    struct audit_entry entry = {
        .action = route->id,
        .target = param,
        .token = caller->name,
        .role = role_name(caller->role),
        .status = status,
    };

    if (!site->sources.audited)
        return;
    guess_source_text(source_of(connection), entry.source);
    snprintf(entry.request, sizeof(entry.request), "%.*s", (int)request->body_len,
             request->body ? request->body : "");
    site->sources.audited(site->sources.audit_ctx, &entry);
}

static enum MHD_Result make_wait(struct site *site, struct MHD_Connection *connection,
                                 unsigned seconds)
{
    char text[16];

    site->view.tokens_unread_total++;
    guesses_add_unread(site->guesses, source_of(connection));
    snprintf(text, sizeof(text), "%u", seconds);
    return site_refuse_with(connection, 429, "too_many_guesses",
                            "too many wrong tokens came from this address; wait, see Retry-After",
                            MHD_HTTP_HEADER_RETRY_AFTER, text);
}

static void note_guess(struct site *site, struct MHD_Connection *connection)
{
    site->view.tokens_wrong_total++;
    guesses_add(site->guesses, source_of(connection), now_ns(site));
    admission_report(site);
}

bool admission_grant(struct site *site, struct MHD_Connection *connection,
                     const struct route *route, const struct request *request, struct caller *ret,
                     enum MHD_Result *ret_answer)
{
    const struct auth_headers headers = {
        .authorization = header_of(connection, MHD_HTTP_HEADER_AUTHORIZATION),
        .host =
            request->authority ? request->authority : header_of(connection, MHD_HTTP_HEADER_HOST),
        .origin = header_of(connection, MHD_HTTP_HEADER_ORIGIN),
        .fetch_site = header_of(connection, "Sec-Fetch-Site"),
        .fetch_mode = header_of(connection, "Sec-Fetch-Mode"),
        .fetch_dest = header_of(connection, "Sec-Fetch-Dest"),
    };
    struct caller caller = auth_caller(&site->auth, &headers);
    bool alien = caller.foreign_host || caller.cross_site;
    /* Without tokens who reads needs none, and whatever was sent is of no matter. */
    bool counts = headers.authorization && (site->auth.tokens || route->role == ROLE_ADMIN);
    /* The agent's own token is random: nobody guesses it, and its owner is not kept out. */
    unsigned seconds =
        counts && !caller.is_local
            ? guesses_wait_seconds(site->guesses, source_of(connection), now_ns(site))
            : 0;

    *ret = caller;
    if (seconds) {
        *ret_answer = make_wait(site, connection, seconds);
        return false;
    }
    if (counts && caller.bad_token)
        note_guess(site, connection);
    if (caller.bad_token && site->auth.tokens)
        *ret_answer = unauthorized(connection, &caller, route->role);
    else if (caller.role < route->role || (alien && route->role > ROLE_PUBLIC))
        *ret_answer = forbid(site, connection, &caller, route);
    else
        return true;
    return false;
}
