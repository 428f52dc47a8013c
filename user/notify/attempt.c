/* What requests to channels are made of. */
#include "notify/channel_driver.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The answer's beginning, for the reason of a failure. */
#define ANSWER_BYTES_MAX 512

int attempt_own(struct attempt *attempt, char *string)
{
    if (!string)
        return -ENOMEM;
    if (attempt->owned_count == sizeof(attempt->owned) / sizeof(attempt->owned[0])) {
        secret_free(string);
        return -E2BIG;
    }
    attempt->owned[attempt->owned_count++] = string;
    return 0;
}

void attempt_end(struct attempt *attempt)
{
    while (attempt->owned_count > 0)
        secret_free(attempt->owned[--attempt->owned_count]);
}

int attempt_header(struct attempt *attempt, const char *format, ...)
{
    char *line = NULL;
    va_list args;
    int r;

    va_start(args, format);
    r = vasprintf(&line, format, args);
    va_end(args);
    if (r < 0)
        return -ENOMEM;
    if (attempt->request.header_count == ATTEMPT_HEADERS_MAX) {
        free(line);
        return -E2BIG;
    }
    r = attempt_own(attempt, line);
    if (r < 0)
        return r;
    attempt->headers[attempt->request.header_count++] = line;
    return 0;
}

int attempt_post_json(struct attempt *attempt, const struct receiver *receiver,
                      const struct message *message, char *owned_url)
{
    int r = attempt_own(attempt, owned_url);

    if (r < 0)
        return r;
    attempt->request.method = "POST";
    attempt->request.url = owned_url;
    attempt->request.headers = attempt->headers;
    attempt->request.body = message->payload;
    attempt->request.body_bytes = message->payload_bytes;
    attempt->request.ca_file = receiver->channel->ca_file;
    attempt->request.response_bytes_max = ANSWER_BYTES_MAX;
    r = attempt_header(attempt, "Content-Type: application/json");
    /* libcurl would ask for permission with larger bodies and wait a second for it. */
    return r < 0 ? r : attempt_header(attempt, "Expect:");
}

int attempt_secret(struct attempt *attempt, const char *path, const char **ret,
                   char reason[SECRET_REASON_BYTES])
{
    char *secret;
    int r;

    *ret = NULL;
    if (!path)
        return 0;
    r = secret_read(path, &secret, reason);
    if (r == 0)
        r = attempt_own(attempt, secret);
    if (r == 0)
        *ret = secret;
    return r;
}

int attempt_post_to_secret(struct attempt *attempt, const struct receiver *receiver,
                           const struct message *message, char reason[SECRET_REASON_BYTES])
{
    char *url;
    int r = secret_read(receiver->channel->url_file, &url, reason);

    return r < 0 ? r : attempt_post_json(attempt, receiver, message, url);
}
