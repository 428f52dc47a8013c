/* From a request to libcurl's options. */
#include "transfer/http_state.h"
#include "transfer/secret.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Headers that we do not keep; a server that sends them without end is cut off. */
#define HEADER_BYTES_MAX (64 << 10)

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_transfer *transfer = ctx;

    text_add_n(&transfer->body, data, size * count);
    /* Less than was offered ends the transfer: what is beyond the limit is not read. */
    return transfer->body.failed ? 0 : size * count;
}

/* Answers to RCPT are not in the result when one recipient at least was taken. Nothing else is
 * answered with a no without ending the transfer, but EHLO by servers older than RFC 1869. */
static void note_refusal(struct http_transfer *transfer, const char *line, size_t n)
{
    if (n < 4 || (line[0] != '4' && line[0] != '5') || line[3] == '-')
        return;
    if (transfer->refused_to++)
        return;
    while (n > 0 && (unsigned char)line[n - 1] <= ' ')
        n--;
    snprintf(transfer->refusal, sizeof(transfer->refusal), "%.*s", (int)n, line);
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct http_transfer *transfer = ctx;

    if (transfer->mail)
        note_refusal(transfer, data, size * count);
    transfer->header_bytes += size * count;
    return transfer->header_bytes > HEADER_BYTES_MAX ? 0 : size * count;
}

static size_t on_upload(char *data, size_t size, size_t count, void *ctx)
{
    struct http_transfer *transfer = ctx;
    size_t left = transfer->upload_bytes - transfer->upload_sent;
    size_t n = size * count < left ? size * count : left;

    memcpy(data, transfer->upload + transfer->upload_sent, n);
    transfer->upload_sent += n;
    return n;
}

static int append(const struct curl_api *curl, struct curl_slist **list, const char *item)
{
    struct curl_slist *grown = curl->curl_slist_append(*list, item);

    if (!grown)
        return -ENOMEM;
    *list = grown;
    return 0;
}

/* The first option that is not taken decides. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (code == CURLE_OK)                                                                      \
            code = curl->curl_easy_setopt(easy, option, value);                                    \
    } while (0)

static CURLcode set_http(const struct http_transfer *transfer, const struct http_request *request)
{
    const struct curl_api *curl = transfer->curl;
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;

    if (request->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        SET(CURLOPT_COPYPOSTFIELDS, request->body);
    }
    if (request->method && strcmp(request->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    else if (request->method)
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    if (request->bearer_token) {
        SET(CURLOPT_XOAUTH2_BEARER, request->bearer_token);
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    } else if (request->user) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    }
    SET(CURLOPT_CONNECT_ONLY, request->connect_only ? 1L : 0L);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    /* One connection carries one request: HTTP/2 would only cost memory. */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return code;
}

static CURLcode set_mail(const struct http_transfer *transfer, const struct http_request *request)
{
    const struct curl_api *curl = transfer->curl;
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_MAIL_FROM, request->mail_from);
    SET(CURLOPT_MAIL_RCPT, transfer->mail_to);
    /* One address that is gone must not keep the mail from the others. */
    SET(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, on_upload);
    SET(CURLOPT_READDATA, transfer);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)transfer->upload_bytes);
    if (request->start_tls)
        SET(CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    return code;
}

static CURLcode set_all(struct http_transfer *transfer, const struct http_request *request)
{
    const struct curl_api *curl = transfer->curl;
    CURL *easy = transfer->easy;
    uint64_t timeout_ms = request->timeout_ns / NS_PER_MS;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* or newer */
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->reason);
    SET(CURLOPT_NOSIGNAL, 1L);
    /* A lookup that hangs in its thread is left to itself when the transfer ends; without this its
     * end would be waited for here, which is the loop's thread. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_TIMEOUT_MS, timeout_ms ? (long)timeout_ms : 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_USERAGENT, "moonwatch/" MOONWATCH_VERSION);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_CERTINFO, 1L);
    /* Each request shows whether a connection can be made now, and none is left idle. */
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    if (request->ca_file)
        SET(CURLOPT_CAINFO, request->ca_file);
    if (request->user)
        SET(CURLOPT_USERNAME, request->user);
    if (request->password)
        SET(CURLOPT_PASSWORD, request->password);
    if (code != CURLE_OK)
        return code;
    return transfer->mail ? set_mail(transfer, request) : set_http(transfer, request);
}

int http_prepare(struct http_transfer *transfer, const struct http_request *request,
                 char error[HTTP_ERROR_BYTES])
{
    CURLcode code;
    int r = 0;

    transfer->mail = request->mail_from != NULL;
    text_init(&transfer->body, request->response_bytes_max);
    for (size_t i = 0; r == 0 && i < request->header_count; i++)
        r = append(transfer->curl, &transfer->headers, request->headers[i]);
    for (size_t i = 0; r == 0 && i < request->mail_to_count; i++)
        r = append(transfer->curl, &transfer->mail_to, request->mail_to[i]);
    if (r == 0 && transfer->mail && request->body_bytes) {
        transfer->upload = malloc(request->body_bytes);
        if (transfer->upload)
            memcpy(transfer->upload, request->body, request->body_bytes);
        else
            r = -ENOMEM;
        transfer->upload_bytes = request->body_bytes;
    }
    if (r == 0 && request->ca_file) {
        r = secret_check_ca(request->ca_file, error);
        if (r < 0)
            return r;
    }
    code = r == 0 ? set_all(transfer, request) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        return 0;
    snprintf(error, HTTP_ERROR_BYTES, "%s", transfer->curl->curl_easy_strerror(code));
    return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}
