/* HTTP(S) requests, mail over SMTP(S) and plain connects, many at once, on the event loop:
 * libcurl's multi_socket interface. Nothing here blocks, names are looked up on libcurl's own
 * threads.
 *
 * The library is loaded by the first request, so an agent that asks nobody does not pay for it.
 */
#ifndef MOONWATCH_TRANSFER_HTTP_H
#define MOONWATCH_TRANSFER_HTTP_H

#include "base/loop.h"
#include "transfer/library.h"
#include "transfer/outcome.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_ERROR_BYTES LIBRARY_ERROR_BYTES
#define HTTP_CERTIFICATE_DAYS_UNKNOWN INT_MIN

/* Everything is copied by http_start(). NULL or 0: not given. Redirects are not followed, proxies
 * of the environment not used. */
struct http_request {
    const char *method;         /* NULL: GET; for HTTP */
    const char *url;            /* http, https, smtp, smtps */
    const char *const *headers; /* "Name: value" */
    size_t header_count;
    const char *body; /* of an HTTP request, or the mail with its headers */
    size_t body_bytes;
    const char *user, *password; /* HTTP basic, SMTP AUTH */
    const char *bearer_token;
    const char *ca_file;        /* PEM; NULL: the system's */
    const char *mail_from;      /* SMTP: with it `body` is sent as a mail ... */
    const char *const *mail_to; /* ... to those of these that the server takes */
    size_t mail_to_count;
    bool start_tls;      /* SMTP: no mail without TLS */
    bool connect_only;   /* done once the TCP connection is made; the url is http://HOST:PORT */
    uint64_t timeout_ns; /* of the whole; at least 1 ms */
    size_t response_bytes_max; /* what is beyond is not read */
};

struct http_result {
    struct outcome outcome;
    unsigned status;     /* of HTTP or SMTP; 0: there was no answer */
    bool rejected;       /* OUTCOME_PERMANENT for what the message says, not for who sends it */
    unsigned refused_to; /* of a mail that was taken: recipients who were not */
    const char *reason;  /* a sentence; "" when there is nothing to say */
    const char *content_type; /* "" when not given */
    const char *body;         /* NUL-terminated */
    size_t body_bytes;
    bool body_cut;        /* there was more than response_bytes_max */
    int certificate_days; /* until the server's ends, negative when it has ended */
    /* Since the start, 0 when it did not come to that. */
    uint64_t resolved_ns, connected_ns, secured_ns, first_byte_ns, total_ns;
};

/* Called once from the loop, never from within http_start(); the result is gone when it returns.
 * May start and cancel transfers. */
typedef void http_done_fn(void *ctx, const struct http_result *result);

struct http;
struct http_transfer;

/* `loop` and `clock` are borrowed. */
int http_create(struct http **ret, struct loop *loop, const struct clock *clock);
/* Ends what is under way without calling anybody. Not from within a callback. */
void http_destroy(struct http *http);

/* `*ret` is good until `fn` is called. A negative errno with the error when it cannot be begun. */
int http_start(struct http *http, struct http_transfer **ret, const struct http_request *request,
               http_done_fn *fn, void *ctx, char error[HTTP_ERROR_BYTES]);
void http_cancel(struct http_transfer *transfer); /* `fn` is not called; NULL is fine */

struct http_view {
    bool loaded; /* the library is in memory */
    size_t in_flight;
    uint64_t started_total;
    uint64_t ended_total[OUTCOME_CLASSES];
    uint64_t cancelled_total;
};
void http_view(const struct http *http, struct http_view *ret);

#endif
