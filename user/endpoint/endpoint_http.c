/* http and tcp: both are libcurl's. */
#include "config/address.h"
#include "endpoint/endpoint_driver.h"
#include "transfer/secret.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http_run {
    const struct config_expect *expect;
    bool connect_only;
    endpoint_done_fn *fn;
    void *ctx;
    struct http_transfer *transfer;
};

static void on_done(void *ctx, const struct http_result *result)
{
    struct http_run *run = ctx;
    struct endpoint_report report = {
        .outcome = result->outcome,
        .latency_ns = run->connect_only ? result->connected_ns : result->total_ns,
        .http_status = result->status,
        .certificate_days = result->certificate_days,
        .content_type = result->content_type,
        .body = result->body,
        .body_bytes = result->body_bytes,
        .body_cut = result->body_cut,
    };

    /* A status is judged by what is expected, all else by the transfer. */
    if (result->status &&
        (result->outcome.class == OUTCOME_OK || strncmp(result->reason, "HTTP status", 11) == 0))
        report.ok = endpoint_expect(run->expect, result, report.reason);
    else if (result->outcome.class == OUTCOME_OK)
        report.ok = true;
    else
        snprintf(report.reason, sizeof(report.reason), "%s", result->reason);
    run->fn(run->ctx, &report);
    free(run);
}

static int begin(void **ret, const struct endpoint_check_sources *sources,
                 const struct endpoint_target *target, const struct http_request *request,
                 endpoint_done_fn *fn, void *ctx, char reason[ENDPOINT_REASON_BYTES])
{
    struct http_run *run = calloc(1, sizeof(*run));
    char error[HTTP_ERROR_BYTES];
    int r;

    if (!run) {
        snprintf(reason, ENDPOINT_REASON_BYTES, "out of memory");
        return -ENOMEM;
    }
    *run = (struct http_run){
        .expect = target->expect, .connect_only = request->connect_only, .fn = fn, .ctx = ctx};
    r = http_start(sources->http, &run->transfer, request, on_done, run, error);
    if (r < 0) {
        snprintf(reason, ENDPOINT_REASON_BYTES, "%s", error);
        free(run);
        return r;
    }
    *ret = run;
    return 0;
}

static int start_http(void **ret, const struct endpoint_check_sources *sources,
                      const struct endpoint_target *target, endpoint_done_fn *fn, void *ctx,
                      char reason[ENDPOINT_REASON_BYTES])
{
    struct http_request request = {
        .url = target->url,
        .ca_file = target->config->ca_file,
        .timeout_ns = (uint64_t)(target->config->timeout_seconds * 1e9),
        .response_bytes_max = ENDPOINT_ANSWER_BYTES_MAX,
    };
    char *password = NULL, *token = NULL;
    int r = secret_read(target->config->password_file, &password, reason);

    if (r == 0)
        r = secret_read(target->config->token_file, &token, reason);
    request.password = password;
    request.bearer_token = token;
    if (r == 0)
        r = begin(ret, sources, target, &request, fn, ctx, reason);
    secret_free(password);
    secret_free(token);
    return r;
}

static int start_tcp(void **ret, const struct endpoint_check_sources *sources,
                     const struct endpoint_target *target, endpoint_done_fn *fn, void *ctx,
                     char reason[ENDPOINT_REASON_BYTES])
{
    char url[ADDRESS_HOST_BYTES + 32];
    const struct http_request request = {
        .url = url,
        .connect_only = true,
        .timeout_ns = (uint64_t)(target->config->timeout_seconds * 1e9),
    };

    /* The scheme is the one that libcurl connects with; nothing of it is spoken. */
    snprintf(url, sizeof(url), "http%s", strstr(target->url, "://"));
    return begin(ret, sources, target, &request, fn, ctx, reason);
}

static void cancel(void *ctx)
{
    struct http_run *run = ctx;

    http_cancel(run->transfer);
    free(run);
}

const struct endpoint_driver endpoint_driver_http = {.start = start_http, .cancel = cancel};
const struct endpoint_driver endpoint_driver_tcp = {.start = start_tcp, .cancel = cancel};
