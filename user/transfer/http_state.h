/* What the parts of the transfer engine share. Inside this layer only. */
#ifndef MOONWATCH_TRANSFER_HTTP_STATE_H
#define MOONWATCH_TRANSFER_HTTP_STATE_H

#include "base/text.h"
#include "transfer/curl_api.h"
#include "transfer/http.h"

struct http_transfer {
    struct http *http;
    struct http_transfer *next, *previous;
    const struct curl_api *curl;
    CURL *easy;
    http_done_fn *fn;
    void *ctx;
    struct curl_slist *headers, *mail_to;
    char *upload;
    size_t upload_bytes, upload_sent;
    struct text body;
    size_t header_bytes;
    bool mail;
    unsigned refused_to;           /* of RCPT commands */
    char refusal[CURL_ERROR_SIZE]; /* the server's words for the first */
    char reason[CURL_ERROR_SIZE];
};

/* Tells libcurl what is wanted; -EINVAL with the error when it does not take it. */
int http_prepare(struct http_transfer *transfer, const struct http_request *request,
                 char error[HTTP_ERROR_BYTES]);
/* What libcurl's end means. Pointers in the result are the transfer's. */
void http_conclude(struct http_transfer *transfer, CURLcode code, struct http_result *ret);

#endif
