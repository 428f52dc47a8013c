/* From libcurl's end to what it means. */
#include "transfer/http_state.h"
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_SECONDS (24 * 60 * 60)
/* What libcurl 8.14 cuts it to, and so the same with those before. */
#define RETRY_AFTER_MAX_SECONDS (6LL * 60 * 60)
#define CERTIFICATE_FIELD "Cert:"

/* What no second attempt mends; all else may pass: refused, reset, timed out, no such name yet. */
static const CURLcode permanent[] = {
    CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT,    CURLE_PEER_FAILED_VERIFICATION,
    CURLE_SSL_CACERT_BADFILE,   CURLE_SSL_ISSUER_ERROR, CURLE_LOGIN_DENIED,
    CURLE_USE_SSL_FAILED,       CURLE_AUTH_ERROR,
};

static enum outcome_class class_of_code(CURLcode code)
{
    for (size_t i = 0; i < sizeof(permanent) / sizeof(permanent[0]); i++)
        if (permanent[i] == code)
            return OUTCOME_PERMANENT;
    return OUTCOME_RETRYABLE;
}

static uint64_t time_of(const struct http_transfer *transfer, CURLINFO info)
{
    curl_off_t us = 0;

    transfer->curl->curl_easy_getinfo(transfer->easy, info, &us);
    return us > 0 ? (uint64_t)us * NS_PER_US : 0;
}

static long number_of(const struct http_transfer *transfer, CURLINFO info)
{
    long value = 0;

    transfer->curl->curl_easy_getinfo(transfer->easy, info, &value);
    return value;
}

static int days_left(const char *pem)
{
    const gnutls_datum_t data = {(unsigned char *)pem, (unsigned)strlen(pem)};
    int days = HTTP_CERTIFICATE_DAYS_UNKNOWN;
    gnutls_x509_crt_t certificate;
    time_t end;

    if (gnutls_x509_crt_init(&certificate) < 0)
        return days;
    if (gnutls_x509_crt_import(certificate, &data, GNUTLS_X509_FMT_PEM) >= 0) {
        end = gnutls_x509_crt_get_expiration_time(certificate);
        if (end != (time_t)-1)
            days = (int)((end - time(NULL)) / DAY_SECONDS);
    }
    gnutls_x509_crt_deinit(certificate);
    return days;
}

/* The first certificate of the chain is the server's. */
static int certificate_days(const struct http_transfer *transfer)
{
    struct curl_certinfo *chain = NULL;
    const struct curl_slist *field;

    transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_CERTINFO, &chain);
    if (!chain || chain->num_of_certs < 1)
        return HTTP_CERTIFICATE_DAYS_UNKNOWN;
    for (field = chain->certinfo[0]; field; field = field->next)
        if (strncmp(field->data, CERTIFICATE_FIELD, strlen(CERTIFICATE_FIELD)) == 0)
            return days_left(field->data + strlen(CERTIFICATE_FIELD));
    return HTTP_CERTIFICATE_DAYS_UNKNOWN;
}

/* Everything else in 4xx is about who asks, where, or how often. */
static bool is_about_content(unsigned http_status)
{
    static const unsigned statuses[] = {400, 413, 414, 415, 422, 431};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i] == http_status)
            return true;
    return false;
}

static void judge_status(struct http_transfer *transfer, struct http_result *result)
{
    struct outcome *outcome = &result->outcome;

    if (transfer->mail) {
        outcome->class = outcome_of_smtp(result->status);
        result->refused_to = transfer->refused_to;
        snprintf(transfer->reason, sizeof(transfer->reason), "%s", transfer->refusal);
        return;
    }
    outcome->class = outcome_of_http(result->status);
    result->rejected = is_about_content(result->status);
    if (outcome->class == OUTCOME_RETRYABLE && outcome->retry_after_ns)
        outcome->class = OUTCOME_THROTTLED;
    if (outcome->class != OUTCOME_OK)
        snprintf(transfer->reason, sizeof(transfer->reason), "HTTP status %u", result->status);
}

void http_conclude(struct http_transfer *transfer, CURLcode code, struct http_result *ret)
{
    curl_off_t retry_after_seconds = 0;
    char *content_type = NULL;
    bool cut = code == CURLE_WRITE_ERROR && transfer->body.failed;

    transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_seconds);
    transfer->curl->curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
    if (retry_after_seconds > RETRY_AFTER_MAX_SECONDS)
        retry_after_seconds = RETRY_AFTER_MAX_SECONDS;
    *ret = (struct http_result){
        .outcome = {.retry_after_ns = retry_after_seconds > 0
                                          ? (uint64_t)retry_after_seconds * NS_PER_SECOND
                                          : 0},
        .status = (unsigned)number_of(transfer, CURLINFO_RESPONSE_CODE),
        .reason = transfer->reason,
        .content_type = content_type ? content_type : "",
        .body = transfer->body.data ? transfer->body.data : "",
        .body_bytes = transfer->body.len,
        .body_cut = cut,
        .certificate_days = certificate_days(transfer),
        .resolved_ns = time_of(transfer, CURLINFO_NAMELOOKUP_TIME_T),
        .connected_ns = time_of(transfer, CURLINFO_CONNECT_TIME_T),
        .secured_ns = time_of(transfer, CURLINFO_APPCONNECT_TIME_T),
        .first_byte_ns = time_of(transfer, CURLINFO_STARTTRANSFER_TIME_T),
        .total_ns = time_of(transfer, CURLINFO_TOTAL_TIME_T),
    };
    if (code == CURLE_OK && !ret->status) {
        ret->outcome.class = OUTCOME_OK; /* only a connection was wanted */
        return;
    }
    if (code == CURLE_OK || cut) {
        transfer->reason[0] = '\0';
        judge_status(transfer, ret);
        return;
    }
    /* A server that says no in SMTP gives a code to go by; one that speaks no HTTP at all is
     * broken, which may pass, unlike a scheme that is not ours. */
    ret->outcome.class = class_of_code(code);
    if (transfer->mail && ret->status >= 400) {
        ret->outcome.class = outcome_of_smtp(ret->status);
        /* The answer to the mail itself; all before is about servers and addresses. */
        ret->rejected = ret->outcome.class == OUTCOME_PERMANENT && transfer->upload_bytes &&
                        transfer->upload_sent == transfer->upload_bytes;
        if (transfer->refused_to)
            snprintf(transfer->reason, sizeof(transfer->reason), "%s", transfer->refusal);
    }
    if (code == CURLE_UNSUPPORTED_PROTOCOL && ret->connected_ns)
        ret->outcome.class = OUTCOME_RETRYABLE;
    if (!transfer->reason[0])
        snprintf(transfer->reason, sizeof(transfer->reason), "%s",
                 transfer->curl->curl_easy_strerror(code));
    if (code == CURLE_WRITE_ERROR)
        snprintf(transfer->reason, sizeof(transfer->reason), "the answer's headers do not end");
}
