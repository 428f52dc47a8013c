#include "http/request_head.h"
#include <string.h>

/* Bytes that libmicrohttpd takes for a parameter, a header or a cookie. */
#define RECORD_BYTES 64
#define ANSWER_HEAD_BYTES 1024

/* Of the head there may be a second copy, of its cookies. */
_Static_assert(2 * HEAD_BYTES + ANSWER_HEAD_BYTES +
                       RECORD_BYTES * (HEAD_PARAMETERS + HEAD_FIELDS + HEAD_COOKIES) <=
                   HEAD_MEMORY_BYTES,
               "what is allowed fits a connection's memory");

enum refusal { TARGET_TOO_LONG, TOO_MANY_PARAMETERS, HEAD_TOO_LONG, TOO_MANY_FIELDS, NO_ONE_HOST };

static const struct head_refusal refusals[] = {
    [TARGET_TOO_LONG] = {MHD_HTTP_URI_TOO_LONG, "uri_too_long",
                         "the path with its query has at most 4096 bytes"},
    [TOO_MANY_PARAMETERS] = {MHD_HTTP_BAD_REQUEST, "too_many_parameters",
                             "a query has at most 64 parameters"},
    [HEAD_TOO_LONG] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large",
                       "the request's head has at most 8192 bytes"},
    [TOO_MANY_FIELDS] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large",
                         "a request has at most 80 headers and 80 cookies"},
    [NO_ONE_HOST] = {MHD_HTTP_BAD_REQUEST, "bad_host", "a request has one Host header"},
};

_Static_assert(HEAD_TARGET_BYTES == 4096 && HEAD_PARAMETERS == 64, "the texts say so");
_Static_assert(HEAD_BYTES == 8192 && HEAD_FIELDS == 80, "the texts say so");
_Static_assert(HEAD_COOKIES == 80, "the texts say so");

const struct head_refusal *head_check_target(const char *target)
{
    char *query = strchr(target, '?');
    const struct head_refusal *refusal = NULL;
    size_t parameters = 1;

    for (const char *p = query; p && *p; p++)
        parameters += *p == '&';
    if (strlen(target) > HEAD_TARGET_BYTES)
        refusal = &refusals[TARGET_TOO_LONG];
    else if (parameters > HEAD_PARAMETERS)
        refusal = &refusals[TOO_MANY_PARAMETERS];
    if (refusal && query)
        query[1] = '\0';
    return refusal;
}

static enum MHD_Result count_host(void *ctx, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    (void)value;
    *(unsigned *)ctx += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    return MHD_YES;
}

const struct head_refusal *head_check_fields(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    unsigned hosts = 0;
    int fields = MHD_get_connection_values(connection, MHD_HEADER_KIND, count_host, &hosts);
    int cookies = MHD_get_connection_values(connection, MHD_COOKIE_KIND, NULL, NULL);

    if (size && size->header_size > HEAD_BYTES)
        return &refusals[HEAD_TOO_LONG];
    if (fields > HEAD_FIELDS || cookies > HEAD_COOKIES)
        return &refusals[TOO_MANY_FIELDS];
    return hosts > 1 ? &refusals[NO_ONE_HOST] : NULL;
}
