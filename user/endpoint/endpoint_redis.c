/* redis: hiredis, asynchronous. PING decides; INFO tells the connections. */
#include "config/address.h"
#include "endpoint/endpoint_driver.h"
#include "endpoint/hiredis_api.h"
#include "transfer/secret.h"
#include "transfer/watch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* INFO has some 6 KiB. A server that sends more than this without an end is none. */
#define BUFFERED_BYTES_MAX (256 << 10)

struct redis_run {
    const struct endpoint_check_sources *sources;
    const struct hiredis_api *api;
    const struct config_expect *expect;
    redisAsyncContext *context;
    struct watch watch;
    uint32_t wanted; /* epoll events */
    uint64_t started_ns;
    bool ended;       /* reported or cancelled: what hiredis still calls is not for anybody */
    unsigned holders; /* the context until its cleanup(), and each command until its answer */
    endpoint_done_fn *fn;
    void *ctx;
    struct endpoint_report report;
};

static void on_ready(void *ctx, uint32_t epoll_events);

/* The last one frees it: which one that is depends on hiredis's version. */
static void release(struct redis_run *run)
{
    if (--run->holders == 0)
        free(run);
}

/* hiredis answers every command that is left with NULL and calls cleanup(), before or after that.
 * Within a callback it does so when that returns. */
static void end(struct redis_run *run)
{
    run->ended = true;
    run->api->redisAsyncFree(run->context);
}

static void finish(struct redis_run *run, bool ok)
{
    run->report.ok = ok;
    run->report.outcome.class = ok ? OUTCOME_OK : OUTCOME_RETRYABLE;
    run->report.certificate_days = HTTP_CERTIFICATE_DAYS_UNKNOWN;
    run->ended = true;
    run->fn(run->ctx, &run->report);
    end(run);
}

static void watch_again(struct redis_run *run)
{
    watch_set(&run->watch, run->sources->loop, run->context->c.fd, run->wanted, on_ready, run);
}

static void add_read(void *ctx)
{
    struct redis_run *run = ctx;

    run->wanted |= EPOLLIN;
    watch_again(run);
}

static void remove_read(void *ctx)
{
    struct redis_run *run = ctx;

    run->wanted &= ~(uint32_t)EPOLLIN;
    watch_again(run);
}

static void add_write(void *ctx)
{
    struct redis_run *run = ctx;

    run->wanted |= EPOLLOUT;
    watch_again(run);
}

static void remove_write(void *ctx)
{
    struct redis_run *run = ctx;

    run->wanted &= ~(uint32_t)EPOLLOUT;
    watch_again(run);
}

static void cleanup(void *ctx)
{
    struct redis_run *run = ctx;

    watch_end(&run->watch);
    release(run);
}

static void on_ready(void *ctx, uint32_t epoll_events)
{
    struct redis_run *run = ctx;

    if (run->context->c.reader->len > BUFFERED_BYTES_MAX) {
        snprintf(run->report.reason, ENDPOINT_REASON_BYTES, "the answer does not end");
        finish(run, false);
    } else if (epoll_events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        run->api->redisAsyncHandleRead(run->context);
    } else {
        run->api->redisAsyncHandleWrite(run->context);
    }
}

/* Whether the run goes on: no answer and an error both end it. */
static bool good(struct redis_run *run, const redisReply *reply)
{
    if (run->ended)
        return false;
    if (!reply)
        snprintf(run->report.reason, ENDPOINT_REASON_BYTES, "%s",
                 run->context->errstr ? run->context->errstr : "the connection was closed");
    else if (reply->type == REDIS_REPLY_ERROR)
        snprintf(run->report.reason, ENDPOINT_REASON_BYTES, "%s", reply->str);
    else
        return true;
    finish(run, false);
    return false;
}

static void on_auth(redisAsyncContext *context, void *reply, void *ctx)
{
    (void)context;
    good(ctx, reply);
    release(ctx);
}

static void on_ping(redisAsyncContext *context, void *reply, void *ctx)
{
    struct redis_run *run = ctx;

    (void)context;
    if (good(run, reply))
        run->report.latency_ns = clock_monotonic_ns(run->sources->clock) - run->started_ns;
    release(run);
}

/* "name:NUMBER" at the beginning of a line. */
static bool info_number(const char *info, const char *name, unsigned *ret)
{
    size_t length = strlen(name);
    const char *line = info;

    while (line) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            *ret = (unsigned)strtoul(line + length + 1, NULL, 10);
            return true;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

static bool expected_in(const struct redis_run *run, const char *info, char *reason)
{
    const char *body = run->expect && run->expect->given ? run->expect->body : NULL;

    if (!body || strstr(info, body))
        return true;
    snprintf(reason, ENDPOINT_REASON_BYTES, "\"%.100s\" is not in what INFO says", body);
    return false;
}

/* Before Redis 7 INFO does not have the limit. Who may not read it still has the rest. */
static void take_limit(struct redis_run *run, const redisReply *reply)
{
    struct endpoint_connections *connections = &run->report.connections;

    if (run->ended)
        return;
    if (!reply) {
        good(run, NULL);
        return;
    }
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        connections->limit = (unsigned)strtoul(reply->element[1]->str, NULL, 10);
        connections->limit_known = true;
    } else {
        snprintf(connections->reason, sizeof(connections->reason), "maxclients: %s",
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "not told");
    }
    finish(run, true);
}

static void on_limit(redisAsyncContext *context, void *reply, void *ctx)
{
    (void)context;
    take_limit(ctx, reply);
    release(ctx);
}

static void ask(struct redis_run *run, redisCallbackFn *fn, int count, const char **words)
{
    if (run->api->redisAsyncCommandArgv(run->context, fn, run, count, words, NULL) == REDIS_OK)
        run->holders++;
}

static void take_info(struct redis_run *run, const redisReply *reply)
{
    struct endpoint_connections *connections = &run->report.connections;

    if (run->ended || (!reply && !good(run, reply)))
        return;
    if (reply->type != REDIS_REPLY_STRING) {
        snprintf(connections->reason, sizeof(connections->reason), "INFO: %s",
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "not told");
        /* Without it nothing can be expected of it. */
        finish(run, expected_in(run, "", run->report.reason));
        return;
    }
    connections->known = info_number(reply->str, "connected_clients", &connections->total);
    connections->states_known = info_number(reply->str, "blocked_clients", &connections->blocked);
    connections->limit_known = info_number(reply->str, "maxclients", &connections->limit);
    if (!expected_in(run, reply->str, run->report.reason))
        finish(run, false);
    else if (connections->limit_known)
        finish(run, true);
    else
        ask(run, on_limit, 3, (const char *[]){"CONFIG", "GET", "maxclients"});
}

static void on_info(redisAsyncContext *context, void *reply, void *ctx)
{
    (void)context;
    take_info(ctx, reply);
    release(ctx);
}

static int redis_host(const struct config_check *config, char host[256], uint16_t *port,
                      char reason[ENDPOINT_REASON_BYTES])
{
    struct address address;

    if (address_parse_url(&address, config->url, REDIS_PORT) < 0) {
        snprintf(reason, ENDPOINT_REASON_BYTES, "the url has no host and port");
        return -EINVAL;
    }
    snprintf(host, 256, "%.255s", address.host);
    *port = address.port;
    return 0;
}

static void authenticate(struct redis_run *run, const char *url, const char *password)
{
    const char *begin = strstr(url, "://") + 3, *at = strchr(begin, '@');
    char user[256];

    if (at && at > begin) {
        snprintf(user, sizeof(user), "%.*s", (int)(at - begin), begin);
        ask(run, on_auth, 3, (const char *[]){"AUTH", user, password});
    } else {
        ask(run, on_auth, 2, (const char *[]){"AUTH", password});
    }
}

static int redis_start(void **ret, const struct endpoint_check_sources *sources,
                       const struct endpoint_target *target, endpoint_done_fn *fn, void *ctx,
                       char reason[ENDPOINT_REASON_BYTES])
{
    const struct hiredis_api *api = hiredis_api(reason);
    char address[RESOLVED_TEXT_BYTES], *password = NULL;
    struct redis_run *run;
    int r = api ? secret_read(target->config->password_file, &password, reason) : -ELIBACC;

    _Static_assert(LIBRARY_ERROR_BYTES <= ENDPOINT_REASON_BYTES, "its errors are passed on");
    if (r < 0)
        return r;
    resolved_address_format(target->address, address);
    run = calloc(1, sizeof(*run));
    if (run) {
        *run = (struct redis_run){.sources = sources,
                                  .api = api,
                                  .expect = target->expect,
                                  .started_ns = clock_monotonic_ns(sources->clock),
                                  .holders = 1,
                                  .fn = fn,
                                  .ctx = ctx};
        /* Of an address in digits nothing is looked up. */
        run->context = api->redisAsyncConnect(address, target->port);
    }
    if (!run || !run->context || run->context->err) {
        snprintf(reason, ENDPOINT_REASON_BYTES, "%s",
                 run && run->context ? run->context->errstr : "out of memory");
        if (run && run->context)
            api->redisAsyncFree(run->context);
        free(run);
        secret_free(password);
        return -EIO;
    }
    run->context->ev.data = run;
    run->context->ev.addRead = add_read;
    run->context->ev.delRead = remove_read;
    run->context->ev.addWrite = add_write;
    run->context->ev.delWrite = remove_write;
    run->context->ev.cleanup = cleanup;
    if (password)
        authenticate(run, target->config->url, password);
    ask(run, on_ping, 1, (const char *[]){"PING"});
    ask(run, on_info, 1, (const char *[]){"INFO"});
    secret_free(password);
    *ret = run;
    return 0;
}

static void redis_cancel(void *run)
{
    end(run);
}

const struct endpoint_driver endpoint_driver_redis = {
    .host = redis_host, .start = redis_start, .cancel = redis_cancel};
