/* One request to the agent. Deliberately no libcurl: it and the nineteen libraries behind it
 * add 2.5 MiB to the agent's PSS, of the 8 MiB it may have, for a short request to loopback. */
#ifndef MOONWATCH_CLI_HTTP_CLIENT_H
#define MOONWATCH_CLI_HTTP_CLIENT_H

#include <stddef.h>

struct http_url {
    char host[256];
    char port[8];
    char authority[272]; /* as it goes into the Host header */
};

#define HTTP_ERROR_BYTES 512

/* "http://HOST[:PORT][/]". 0, or -EINVAL with one line in `error`. */
int http_url_parse(const char *text, struct http_url *ret, char error[HTTP_ERROR_BYTES]);

struct http_answer {
    unsigned status;
    char *body; /* NUL-terminated, from malloc */
    size_t len;
};

/* `token` may be NULL. Fails after HTTP_TIMEOUT_SECONDS without progress. Returns 0 whatever the
 * status, or a negative errno with one line in `error`. */
#define HTTP_TIMEOUT_SECONDS 5
int http_get(const struct http_url *url, const char *path, const char *token,
             struct http_answer *ret, char error[HTTP_ERROR_BYTES]);
/* The same with a JSON body, NULL for none. */
int http_post(const struct http_url *url, const char *path, const char *token, const char *body,
              struct http_answer *ret, char error[HTTP_ERROR_BYTES]);

int http_delete(const struct http_url *url, const char *path, const char *token,
                struct http_answer *ret, char error[HTTP_ERROR_BYTES]);

/* Splits a whole response into status and body, which stays inside `response`. -EBADMSG when it is
 * not one or was cut short. */
int http_parse_response(char *response, size_t len, unsigned *ret_status, char **ret_body,
                        size_t *ret_len);

#endif
