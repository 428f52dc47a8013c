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

/* What is known of a row in use. */
struct slot {
    bool is_service;
    size_t index; /* in the configuration */
    struct call_flight flight, counting;
};

struct follow {
    struct follow_sources sources;
    const struct config *config;
    struct loop_source *alarm;
    uint64_t scanned_ns, now_ns;
    size_t slot_count;
    struct slot *slots;        /* upstreams, then services */
    const struct config *next; /* NULL: nothing is staged */
    struct slot *next_slots;
    uint16_t slot_of[CALL_ROWS_MAX]; /* + 1; 0: the row is nobody's */
    /* Rows in use, of upstreams and of services: the first, and the one behind the last. */
    uint32_t upstreams_from, upstreams_to, services_from, services_to;
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
    follow_unstage(f);
    free(f->slots);
    free(f);
}

static void take_row(struct follow *f, uint32_t row, bool is_service, size_t index)
{
    uint32_t *from = is_service ? &f->services_from : &f->upstreams_from;
    uint32_t *to = is_service ? &f->services_to : &f->upstreams_to;

    f->slots[f->slot_count] = (struct slot){.is_service = is_service, .index = index};
    f->slot_of[row] = (uint16_t)++f->slot_count;
    if (*to == 0 || row < *from)
        *from = row;
    if (row >= *to)
        *to = row + 1;
}

int follow_stage(struct follow *f, const struct config *config)
{
    follow_unstage(f);
    f->next_slots =
        calloc(config->upstreams.count + config->services.count + 1, sizeof(*f->next_slots));
    if (!f->next_slots)
        return -ENOMEM;
    f->next = config;
    return 0;
}

void follow_unstage(struct follow *f)
{
    free(f->next_slots);
    f->next_slots = NULL;
    f->next = NULL;
}

void follow_commit(struct follow *f)
{
    if (!f->next)
        return;
    free(f->slots);
    f->slots = f->next_slots;
    f->config = f->next;
    f->next_slots = NULL;
    f->next = NULL;
    f->slot_count = 0;
    memset(f->slot_of, 0, sizeof(f->slot_of));
    f->upstreams_from = f->upstreams_to = f->services_from = f->services_to = 0;
    for (size_t i = 0; i < f->config->upstreams.count; i++)
        take_row(f, (uint32_t)services_row(f->sources.services, i), false, i);
    for (size_t i = 0; i < f->config->services.count; i++)
        take_row(f, attribution_row(f->sources.attribution, i), true, i);
    f->scanned_ns = 0; /* whose calls are in flight is to be asked anew */
}

int follow_tell(const struct follow *f)
{
    const struct config *config = f->config;
    int r = 0;

    for (size_t i = 0; r == 0 && i < config->upstreams.count; i++) {
        const struct config_upstream *upstream = &config->upstreams.items[i];
        const struct call_limit limit = {
            .slow_ns = (uint64_t)(upstream->breaker.slow_call_ms * (double)NS_PER_MS),
            .timeout_ns = clock_ns_of_seconds(upstream->breaker.timeout_seconds),
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

static void feed(void *ctx, uint32_t row, const struct call_stats *stats)
{
    struct follow *f = ctx;
    struct services *services = f->sources.services;
    struct call_figures figures = {.stats = *stats};
    const struct slot *slot;
    struct traffic traffic;

    if (!f->slot_of[row])
        return;
    slot = &f->slots[f->slot_of[row] - 1];
    figures.flight = slot->flight;
    figures.flight.looked_ns = f->scanned_ns;
    sum_up(stats, &traffic);
    if (slot->is_service) {
        services_feed_service(services, slot->index, f->now_ns, &traffic);
        services_set_service_figures(services, slot->index, f->now_ns, &figures);
        return;
    }
    services_feed_upstream(services, slot->index, f->now_ns, &traffic, stats->slow);
    services_set_upstream_figures(services, slot->index, f->now_ns, &figures);
}

static void feed_rows(struct follow *f, uint32_t from, uint32_t to, uint64_t now_ns)
{
    f->now_ns = now_ns;
    if (to > from)
        probe_call_stats_range(f->sources.probe, from, to - from, feed, f);
}

static void count_flight(void *ctx, const struct call_row *call)
{
    struct follow *f = ctx;
    struct call_flight *flight;

    if (call->row >= CALL_ROWS_MAX || !f->slot_of[call->row])
        return;
    flight = &f->slots[f->slot_of[call->row] - 1].counting;
    flight->calls++;
    if (!flight->oldest_since_ns || call->since_ns < flight->oldest_since_ns)
        flight->oldest_since_ns = call->since_ns;
}

static void scan(struct follow *f, uint64_t now_ns)
{
    uint64_t next_ns = 0;

    for (size_t i = 0; i < f->slot_count; i++)
        f->slots[i].counting = (struct call_flight){0};
    if (probe_calls_scan(f->sources.probe, count_flight, f, &next_ns) < 0)
        return;
    for (size_t i = 0; i < f->slot_count; i++)
        f->slots[i].flight = f->slots[i].counting;
    f->scanned_ns = now_ns;
    loop_set_alarm(f->alarm, next_ns);
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    struct follow *f = ctx;

    /* What it finds comes back as records and in the counts. */
    scan(f, now_ns);
    feed_rows(f, f->upstreams_from, f->upstreams_to, now_ns);
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
    feed_rows(f, f->upstreams_from, f->upstreams_to, now_ns);
    feed_rows(f, f->services_from, f->services_to, now_ns);
    if (f->config->upstreams.count)
        probe_map_for_each(f->sources.probe, "connect_client", take_attempts, &attempts);
}

/* SIZE_MAX when it is of none any more. */
static size_t upstream_of(const struct follow *f, const struct record_call *call)
{
    return services_upstream_of_row(f->sources.services, call->upstream);
}

static void feed_upstream(struct follow *f, size_t upstream, uint64_t now_ns)
{
    uint32_t row = (uint32_t)services_row(f->sources.services, upstream);

    feed_rows(f, row, row + 1, now_ns);
}

bool follow_breaker(struct follow *f, const struct record_breaker *record, uint64_t now_ns)
{
    size_t upstream = upstream_of(f, &record->call);
    char remote[REMOTE_BYTES];

    if (upstream == SIZE_MAX)
        return false;
    remote_format(record->call.remote_addr, record->call.remote_port, remote);
    if (record->to == BREAKER_OPEN)
        services_kernel_opened(f->sources.services, upstream, now_ns, record->epoch, remote);
    feed_upstream(f, upstream, now_ns);
    return true;
}

bool follow_call_failed(struct follow *f, const struct record_call_failed *record, uint64_t now_ns)
{
    size_t upstream = upstream_of(f, &record->call);

    if (upstream != SIZE_MAX)
        feed_upstream(f, upstream, now_ns);
    return upstream != SIZE_MAX;
}
