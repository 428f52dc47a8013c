#include "endpoint/endpoint_entry.h"
#include <stdio.h>
#include <string.h>

/* libcurl keeps the time itself and says what it was waiting for; ours is for when it does not. */
#define HTTP_GRACE_NS NS_PER_SECOND
/* A server may ask for fewer calls, not to be forgotten. */
#define RETRY_AFTER_MAX_NS (3600 * NS_PER_SECOND)

static const char *url_of(const struct endpoint_entry *entry)
{
    return entry->feed_url ? entry->feed_url : entry->config->url;
}

static uint64_t timeout_ns(const struct endpoint_entry *entry)
{
    return (uint64_t)(entry->config->timeout_seconds * 1e9);
}

static void tell_answer(const struct endpoint_entry *entry, const struct endpoint_report *report)
{
    const char *path = strchr(strstr(url_of(entry), "://") + 3, '/');
    struct upstream_answer answer = {
        .upstream = entry->feeds,
        .path = path ? path : "/",
        /* Half of an answer is none, and a redirect without its target neither. */
        .good = report->ok && !report->body_cut && report->http_status / 100 == 2,
    };

    if (answer.good) {
        answer.status = report->http_status;
        answer.content_type = report->content_type;
        answer.body = report->body;
        answer.body_bytes = report->body_bytes;
    }
    entry->ops->on_answer(entry->ops->ctx, &answer);
}

static void keep(struct endpoint_entry *entry, const struct endpoint_report *report,
                 uint64_t now_ns)
{
    struct endpoint_check_view *view = &entry->view;
    enum endpoint_status status = report->ok ? ENDPOINT_OK : ENDPOINT_FAILED;

    if (status != view->status) {
        view->since_ns = now_ns;
        view->consecutive = 0;
    }
    view->status = status;
    view->consecutive++;
    view->runs_total++;
    view->failed_total += !report->ok;
    view->last_ns = now_ns;
    view->outcome = report->outcome.class;
    view->http_status = report->http_status;
    view->certificate_days = report->certificate_days;
    view->connections = report->connections;
    if (report->ok)
        view->latency_ns = report->latency_ns;
    snprintf(entry->reason, sizeof(entry->reason), "%s", report->reason);
}

/* The next attempt keeps to the interval of the starts, unless the server asks for more time. */
static void schedule(struct endpoint_entry *entry, const struct outcome *outcome, uint64_t now_ns)
{
    uint64_t interval_ns = (uint64_t)(entry->config->interval_seconds * 1e9), asked_ns;

    entry->view.next_ns = entry->started_ns + interval_ns;
    if (entry->view.next_ns <= now_ns)
        entry->view.next_ns = now_ns + interval_ns;
    if (outcome->class != OUTCOME_THROTTLED)
        return;
    asked_ns =
        outcome->retry_after_ns < RETRY_AFTER_MAX_NS ? outcome->retry_after_ns : RETRY_AFTER_MAX_NS;
    if (entry->view.next_ns < now_ns + asked_ns)
        entry->view.next_ns = now_ns + asked_ns;
}

static void on_done(void *ctx, const struct endpoint_report *report)
{
    struct endpoint_entry *entry = ctx;
    const struct endpoint_check_ops *ops = entry->ops;
    uint64_t now_ns = clock_monotonic_ns(entry->sources->clock);
    struct endpoint_check_view view;

    entry->run = NULL;
    entry->resolving = false;
    keep(entry, report, now_ns);
    schedule(entry, &report->outcome, now_ns);
    entry->changed(entry->changed_ctx);
    if (entry->feeds && ops->on_answer)
        tell_answer(entry, report);
    if (!entry->feed_url && ops->on_result) {
        view = entry->view;
        view.reason = entry->reason;
        ops->on_result(ops->ctx, &view);
    }
}

static void fail(struct endpoint_entry *entry, enum outcome_class class, const char *reason)
{
    struct endpoint_report report = {
        .outcome = {.class = class},
        .certificate_days = HTTP_CERTIFICATE_DAYS_UNKNOWN,
    };

    snprintf(report.reason, sizeof(report.reason), "%s", reason);
    on_done(entry, &report);
}

static void on_host_changed(void *ctx)
{
    struct endpoint_entry *entry = ctx;

    if (!entry->resolving)
        return;
    entry->view.next_ns = clock_monotonic_ns(entry->sources->clock);
    entry->changed(entry->changed_ctx);
}

/* Whether there is an address, or none is needed; else the run waits or has failed. */
static bool have_address(struct endpoint_entry *entry, struct resolved_address *ret,
                         bool *ret_known, uint64_t now_ns)
{
    char host[256], reason[ENDPOINT_REASON_BYTES];
    struct resolver_view view;

    if (!entry->driver->host)
        return true;
    if (!entry->host) {
        if (entry->driver->host(entry->config, host, &entry->port, reason) < 0) {
            fail(entry, OUTCOME_PERMANENT, reason);
            return false;
        }
        if (!*host)
            return true;
        if (resolver_watch(entry->sources->resolver, &entry->host, host, on_host_changed, entry) <
            0) {
            fail(entry, OUTCOME_RETRYABLE, "out of memory");
            return false;
        }
        entry->resolving = true;
        entry->view.next_ns = now_ns + timeout_ns(entry);
        return false;
    }
    resolver_view(entry->host, &view);
    if (view.count) {
        /* The next one when the last has failed. */
        *ret = view.addresses[entry->view.status == ENDPOINT_FAILED
                                  ? entry->view.consecutive % view.count
                                  : 0];
        *ret_known = true;
        return true;
    }
    snprintf(reason, sizeof(reason), "%.120s: %.100s", view.host,
             view.failures ? view.reason : "its name was not resolved in time");
    fail(entry, OUTCOME_RETRYABLE, reason);
    return false;
}

static void begin(struct endpoint_entry *entry, uint64_t now_ns)
{
    char reason[ENDPOINT_REASON_BYTES] = "";
    struct resolved_address address;
    bool address_known = false;
    struct endpoint_target target = {
        .config = entry->config,
        .url = url_of(entry),
        .expect = entry->feed_url ? NULL : &entry->config->expect,
    };

    if (!entry->resolving)
        entry->started_ns = now_ns;
    if (!have_address(entry, &address, &address_known, now_ns))
        return;
    target.address = address_known ? &address : NULL;
    entry->resolving = false;
    target.port = entry->port;
    if (entry->driver->start(&entry->run, entry->sources, &target, on_done, entry, reason) < 0) {
        entry->run = NULL;
        fail(entry, OUTCOME_PERMANENT, reason);
        return;
    }
    entry->deadline_ns =
        now_ns + timeout_ns(entry) + (entry->driver->host ? 0 : (uint64_t)HTTP_GRACE_NS);
}

uint64_t endpoint_entry_due_ns(const struct endpoint_entry *entry)
{
    return entry->run ? entry->deadline_ns : entry->view.next_ns;
}

void endpoint_entry_tick(struct endpoint_entry *entry, uint64_t now_ns)
{
    char reason[ENDPOINT_REASON_BYTES];

    if (now_ns < endpoint_entry_due_ns(entry))
        return;
    if (!entry->run) {
        begin(entry, now_ns);
        return;
    }
    entry->driver->cancel(entry->run);
    snprintf(reason, sizeof(reason), "no answer within %g s", entry->config->timeout_seconds);
    fail(entry, OUTCOME_RETRYABLE, reason);
}

void endpoint_entry_stop(struct endpoint_entry *entry)
{
    if (entry->run)
        entry->driver->cancel(entry->run);
    entry->run = NULL;
    resolver_unwatch(entry->host);
    entry->host = NULL;
    entry->resolving = false;
}
