#include "http/request_head.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Bytes that libmicrohttpd takes for a parameter, a header or a cookie. */
#define RECORD_BYTES 64
#define ANSWER_HEAD_BYTES 1024

/* Of the head there may be a second copy, of its cookies. */
_Static_assert(2 * HEAD_BYTES + ANSWER_HEAD_BYTES +
                       RECORD_BYTES * (HEAD_PARAMETERS + HEAD_FIELDS + HEAD_COOKIES) <=
                   HEAD_MEMORY_BYTES,
               "what is allowed fits a connection's memory");

enum refusal {
    TARGET_TOO_LONG,
    TOO_MANY_PARAMETERS,
    BAD_TARGET,
    BAD_AUTHORITY,
    HEAD_TOO_LONG,
    TOO_MANY_FIELDS,
    NO_ONE_HOST,
};

static const struct head_refusal refusals[] = {
    [TARGET_TOO_LONG] = {MHD_HTTP_URI_TOO_LONG, "uri_too_long",
                         "the path with its query has at most 4096 bytes"},
    [TOO_MANY_PARAMETERS] = {MHD_HTTP_BAD_REQUEST, "too_many_parameters",
                             "a query has at most 64 parameters"},
    [BAD_TARGET] = {MHD_HTTP_BAD_REQUEST, "bad_target",
                    "the path with its query holds a NUL (%00) or a space"},
    [BAD_AUTHORITY] = {MHD_HTTP_BAD_REQUEST, "bad_host",
                       "what stands before the path is not HOST or HOST:PORT"},
    [HEAD_TOO_LONG] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large",
                       "the request's head has at most 8192 bytes"},
    [TOO_MANY_FIELDS] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large",
                         "a request has at most 80 headers and 80 cookies"},
    [NO_ONE_HOST] = {MHD_HTTP_BAD_REQUEST, "bad_host", "a request has one Host header"},
};

_Static_assert(HEAD_TARGET_BYTES == 4096 && HEAD_PARAMETERS == 64, "the texts say so");
_Static_assert(HEAD_BYTES == 8192 && HEAD_FIELDS == 80, "the texts say so");
_Static_assert(HEAD_COOKIES == 80, "the texts say so");

/* Nothing that is decoded: the path begins where it did. */
static bool read_authority(const char *text, size_t len, char ret[HEAD_AUTHORITY_BYTES])
{
    if (len == 0 || len >= HEAD_AUTHORITY_BYTES)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-._~:[]", text[i]))
            return false;
    memcpy(ret, text, len);
    ret[len] = '\0';
    return true;
}

/* RFC 9112, 3.2.2. The scheme is the client's affair: a proxy may speak TLS for this agent. */
static const struct head_refusal *read_absolute(const char *target, struct head_target *ret)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        size_t before = strlen(schemes[i]), len;

        if (strncasecmp(target, schemes[i], before) != 0)
            continue;
        len = strcspn(target + before, "/?");
        if (!read_authority(target + before, len, ret->authority))
            return &refusals[BAD_AUTHORITY];
        ret->path_offset = before + len;
    }
    return NULL;
}

void head_read_target(const char *target, struct head_target *ret)
{
    char *query = strchr(target, '?');
    const struct head_refusal *refusal = NULL;
    size_t parameters = 1;

    *ret = (struct head_target){.end = target + strlen(target)};

    for (const char *p = query; p && *p; p++)
        parameters += *p == '&';
    if (strlen(target) > HEAD_TARGET_BYTES)
        refusal = &refusals[TARGET_TOO_LONG];
    else if (parameters > HEAD_PARAMETERS)
        refusal = &refusals[TOO_MANY_PARAMETERS];
    else if (strstr(target, "%00") || strchr(target, ' '))
        refusal = &refusals[BAD_TARGET]; /* decoded, it would end there */
    else
        refusal = read_absolute(target, ret);
    if (refusal && query)
        query[1] = '\0';
    ret->refusal = refusal;
}

static enum MHD_Result count_host(void *ctx, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    (void)value;
    *(unsigned *)ctx += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    return MHD_YES;
}

/* HTTP/1.0 had no Host yet; "" is older still. */
static bool needs_host(const char *version)
{
    return *version && strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
}

/* libmicrohttpd 0.9 takes what stands before a NUL for the target; 1.0 refuses it. The version
 * comes next in its memory. */
static bool ends_at_nul(const struct head_target *target, const char *version)
{
    return MHD_VERSION < 0x01000000 && *version && version != target->end + 1;
}

const struct head_refusal *head_check(struct MHD_Connection *connection,
                                      const struct head_target *target, const char *version)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    unsigned hosts = 0;
    int fields = MHD_get_connection_values(connection, MHD_HEADER_KIND, count_host, &hosts);
    int cookies = MHD_get_connection_values(connection, MHD_COOKIE_KIND, NULL, NULL);

    if (target->refusal || ends_at_nul(target, version))
        return target->refusal ? target->refusal : &refusals[BAD_TARGET];
    if (size && size->header_size > HEAD_BYTES)
        return &refusals[HEAD_TOO_LONG];
    if (fields > HEAD_FIELDS || cookies > HEAD_COOKIES)
        return &refusals[TOO_MANY_FIELDS];
    return hosts > 1 || (hosts == 0 && needs_host(version)) ? &refusals[NO_ONE_HOST] : NULL;
}
