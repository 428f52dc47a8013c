#include "service/follow.h"
#include "probe/calls.h"
#include "probe/map.h"
#include "service/remote.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A scan costs a look at each open file of the host; calls that are due have an alarm of their own.
 */
#define SCAN_EVERY_NS (5 * NS_PER_SECOND)

struct follow {
    struct follow_sources sources;
    const struct config *config;
    struct loop_source *alarm;
    uint64_t scanned_ns;
    struct call_flight flights[CALL_ROWS_MAX], counting[CALL_ROWS_MAX];
};

static void on_alarm(void *ctx, uint64_t now_ns);

int follow_create(struct follow **ret, const struct follow_sources *sources)
{
    struct follow *f = calloc(1, sizeof(*f));
    int r = f ? loop_add_alarm(sources->loop, &f->alarm, on_alarm, f) : -ENOMEM;

    if (r < 0) {
        free(f);
        return r;
    }
    f->sources = *sources;
    *ret = f;
    return 0;
}

void follow_destroy(struct follow *f)
{
    if (!f)
        return;
    loop_remove(f->alarm);
    free(f);
}

static uint64_t ns_of(double seconds)
{
    return (uint64_t)(seconds * (double)NS_PER_SECOND);
}

int follow_configure(struct follow *f, const struct config *config)
{
    int r = 0;

    f->config = config;
    for (size_t i = 0; r == 0 && i < config->upstreams.count; i++) {
        const struct config_upstream *upstream = &config->upstreams.items[i];
        const struct call_limit limit = {
            .slow_ns = (uint64_t)(upstream->breaker.slow_call_ms * (double)NS_PER_MS),
            .timeout_ns = ns_of(upstream->breaker.timeout_seconds),
            .http = upstream->read_status,
        };

        r = probe_call_limit_set(f->sources.probe, (uint32_t)services_row(f->sources.services, i),
                                 &limit);
    }
    /* What a service serves may well be long polls: nothing there times out. */
    for (size_t i = 0; r == 0 && i < config->services.count; i++)
        r = probe_call_limit_set(f->sources.probe, attribution_row(f->sources.attribution, i),
                                 &(struct call_limit){0});
    return r;
}

/* A call that failed was not answered, but for an HTTP status that says so. */
static void sum_up(const struct call_stats *stats, struct traffic *ret)
{
    *ret = (struct traffic){.latency = stats->turnaround, .calls = stats->turnaround.count};
    for (int i = 0; i < CALL_FAILURE_COUNT; i++) {
        ret->failed += stats->failures[i];
        ret->calls += i == CALL_HTTP_5XX ? 0 : stats->failures[i];
    }
}

static void feed_upstream(struct follow *f, size_t upstream, uint64_t now_ns)
{
    size_t row = services_row(f->sources.services, upstream);
    struct call_figures figures = {.flight = f->flights[row]};
    struct traffic traffic;

    figures.flight.looked_ns = f->scanned_ns;
    if (probe_call_stats(f->sources.probe, (uint32_t)row, &figures.stats) < 0)
        return;
    sum_up(&figures.stats, &traffic);
    services_feed_upstream(f->sources.services, upstream, now_ns, &traffic, figures.stats.slow);
    services_set_upstream_figures(f->sources.services, upstream, now_ns, &figures);
}

static void feed_service(struct follow *f, size_t service, uint64_t now_ns)
{
    uint32_t row = attribution_row(f->sources.attribution, service);
    struct call_figures figures = {.flight = f->flights[row]};
    struct traffic traffic;

    figures.flight.looked_ns = f->scanned_ns;
    if (probe_call_stats(f->sources.probe, row, &figures.stats) < 0)
        return;
    sum_up(&figures.stats, &traffic);
    services_feed_service(f->sources.services, service, now_ns, &traffic);
    services_set_service_figures(f->sources.services, service, now_ns, &figures);
}

static void count_flight(void *ctx, const struct call_row *call)
{
    struct follow *f = ctx;
    struct call_flight *flight;

    if (call->row >= CALL_ROWS_MAX)
        return;
    flight = &f->counting[call->row];
    flight->calls++;
    if (!flight->oldest_since_ns || call->since_ns < flight->oldest_since_ns)
        flight->oldest_since_ns = call->since_ns;
}

static void scan(struct follow *f, uint64_t now_ns)
{
    uint64_t next_ns = 0;

    memset(f->counting, 0, sizeof(f->counting));
    if (probe_calls_scan(f->sources.probe, count_flight, f, &next_ns) < 0)
        return;
    memcpy(f->flights, f->counting, sizeof(f->flights));
    f->scanned_ns = now_ns;
    loop_set_alarm(f->alarm, next_ns);
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    struct follow *f = ctx;

    /* What it finds comes back as records and in the counts. */
    scan(f, now_ns);
    for (size_t i = 0; f->config && i < f->config->upstreams.count; i++)
        feed_upstream(f, i, now_ns);
    services_tick(f->sources.services, now_ns);
}

struct attempts {
    struct services *services;
    uint64_t now_ns;
};

static void take_attempts(void *ctx, const void *key, const void *values, unsigned cpus,
                          size_t stride)
{
    const struct attempts *attempts = ctx;
    struct connect_client_key client;
    struct connect_client total;

    (void)cpus;
    (void)stride;
    memcpy(&client, key, sizeof(client));
    memcpy(&total, values, sizeof(total));
    services_feed_attempts(attempts->services, attempts->now_ns, &client, &total);
}

void follow_tick(struct follow *f, uint64_t now_ns)
{
    struct attempts attempts = {f->sources.services, now_ns};

    if (!f->config || f->config->upstreams.count + f->config->services.count == 0)
        return;
    if (!f->scanned_ns || now_ns - f->scanned_ns >= SCAN_EVERY_NS)
        scan(f, now_ns);
    for (size_t i = 0; i < f->config->upstreams.count; i++)
        feed_upstream(f, i, now_ns);
    for (size_t i = 0; i < f->config->services.count; i++)
        feed_service(f, i, now_ns);
    if (f->config->upstreams.count)
        probe_map_for_each(f->sources.probe, "connect_client", take_attempts, &attempts);
}

static void take_breaker(struct follow *f, size_t upstream, const struct record_breaker *record,
                         uint64_t now_ns)
{
    char remote[REMOTE_BYTES];

    remote_format(record->call.remote_addr, record->call.remote_port, remote);
    if (record->to == BREAKER_OPEN)
        services_kernel_opened(f->sources.services, upstream, now_ns, record->epoch, remote);
}

bool follow_record(struct follow *f, const struct record_head *record, uint64_t now_ns)
{
    bool is_breaker = record->type == RECORD_BREAKER;
    const struct record_breaker *breaker = (const void *)record;
    const struct record_call_failed *failed = (const void *)record;
    size_t upstream;

    if (!is_breaker && record->type != RECORD_CALL_FAILED)
        return false;
    upstream = services_upstream_of_row(f->sources.services, is_breaker ? breaker->call.upstream
                                                                        : failed->call.upstream);
    if (upstream == SIZE_MAX)
        return false;
    if (is_breaker)
        take_breaker(f, upstream, breaker, now_ns);
    feed_upstream(f, upstream, now_ns);
    return true;
}
