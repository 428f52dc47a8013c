/* Services, upstreams, circuit breakers. */
#include "http/call_entry.h"
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include <stdlib.h>

/* A row of either kind; its labels come first. */
struct service_row {
    const char *role, *name;
    double degraded;
    struct performance_view figures;
    struct call_entry calls;
};

struct breaker_metrics {
    const char *name;
    double enforced;
    struct breaker_view breaker;
    struct fallback_view fallback;
    uint64_t storming, storms_total;
};

static size_t label_service(const void *row, struct label ret[METRIC_LABELS_MAX],
                            char scratch[METRIC_SCRATCH_BYTES])
{
    const struct service_row *service = row;

    (void)scratch;
    ret[0] = (struct label){"role", service->role};
    ret[1] = (struct label){"name", service->name};
    return 2;
}

static size_t label_breaker(const void *row, struct label ret[METRIC_LABELS_MAX],
                            char scratch[METRIC_SCRATCH_BYTES])
{
    (void)scratch;
    ret[0] = (struct label){"upstream", ((const struct breaker_metrics *)row)->name};
    return 1;
}

/* What was not measured has no sample. */
static size_t gather_rows(const struct services *s, uint64_t now_ns, struct service_row *rows)
{
    size_t count = 0;

    for (size_t i = 0; i < services_count(s); i++) {
        struct service_view view;

        services_service(s, i, &view);
        if (view.missing)
            continue;
        rows[count] = (struct service_row){"service", view.config->name, view.performance.degraded,
                                           view.performance};
        call_entry_fill(&rows[count++].calls, view.calls, &view.transport, true, view.missing);
    }
    for (size_t i = 0; i < services_upstream_count(s); i++) {
        struct upstream_view view;

        services_upstream(s, i, now_ns, &view);
        if (view.missing)
            continue;
        rows[count] = (struct service_row){"upstream", view.config->name, view.performance.degraded,
                                           view.performance};
        call_entry_fill(&rows[count++].calls, view.calls, &view.transport, false, view.missing);
    }
    return count;
}

static void gather_breakers(const struct services *s, uint64_t now_ns, struct breaker_metrics *rows)
{
    for (size_t i = 0; i < services_upstream_count(s); i++) {
        struct upstream_view view;

        services_upstream(s, i, now_ns, &view);
        rows[i] = (struct breaker_metrics){.name = view.config->name,
                                           .enforced = !view.not_enforced,
                                           .breaker = view.breaker,
                                           .fallback = view.fallback,
                                           .storming = retry_storms_view(view.retries, NULL, 0),
                                           .storms_total = retry_storms_total(view.retries)};
    }
}

static void add_states(struct exposition *e, const struct breaker_metrics *rows, size_t count)
{
    static const struct metric_family family = {"moonwatch_breaker_state", METRIC_GAUGE,
                                                "1 for the state a circuit breaker is in."};

    METRIC_FAMILY(e, family, "upstream state ", NEED_UPSTREAMS);
    for (size_t i = 0; i < count; i++)
        for (int state = 0; state < BREAKER_STATE_COUNT; state++)
            exposition_count(e,
                             LABELS({"upstream", rows[i].name},
                                    {"state", breaker_state_name((enum breaker_state)state)}),
                             rows[i].breaker.state == (enum breaker_state)state);
}

static void add_switches(struct exposition *e, const struct breaker_metrics *rows, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_fallback_switches", METRIC_COUNTER,
        "Changes of what callers get instead of an upstream, by what they got then."};

    METRIC_FAMILY(e, family, "upstream to ", NEED_UPSTREAMS);
    for (size_t i = 0; i < count; i++)
        for (int offer = 0; offer < FALLBACK_OFFER_COUNT; offer++)
            exposition_count(e,
                             LABELS({"upstream", rows[i].name},
                                    {"to", fallback_offer_name((enum fallback_offer)offer)}),
                             rows[i].fallback.switches_total[offer]);
}

static void add_failures(struct exposition *e, const struct service_row *rows, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_service_failures", METRIC_COUNTER,
        "Failed calls, and failed connects of an upstream's clients, by reason."};

    METRIC_FAMILY(e, family, "role name reason ", NEED_CALLS);
    for (size_t i = 0; i < count; i++)
        for (int f = 0; f < CALL_FAILURE_COUNT; f++)
            if (!rows[i].calls.accepts || f > CALL_CONNECT_OTHER)
                exposition_count(e,
                                 LABELS({"role", rows[i].role}, {"name", rows[i].name},
                                        {"reason", call_failure_name((enum call_failure)f)}),
                                 rows[i].calls.stats.failures[f]);
}

static void add_in_flight(struct exposition *e, const struct service_row *rows, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_service_calls_in_flight", METRIC_GAUGE,
        "Calls not answered when the open sockets were last looked at."};

    METRIC_FAMILY(e, family, "role name ", NEED_CALLS);
    for (size_t i = 0; i < count; i++)
        if (!rows[i].calls.flight_missing)
            exposition_count(e, LABELS({"role", rows[i].role}, {"name", rows[i].name}),
                             rows[i].calls.in_flight);
}

static size_t keep_followed(struct service_row *rows, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!rows[i].calls.missing)
            rows[kept++] = rows[i];
    return kept;
}

static void add_calls(struct exposition *e, const struct service_row *rows, size_t count)
{
    static const struct metric_column columns[] = {
        READING_GAUGE("moonwatch_service_call_oldest_seconds",
                      "Age of the oldest of them; no sample when there is none.",
                      struct service_row, calls.oldest_in_flight_seconds, 1),
        U64_COUNTER("moonwatch_service_calls_slow", "Calls slower than slow_call_ms.",
                    struct service_row, calls.stats.slow, 1),
        U64_COUNTER("moonwatch_service_calls_throttled", "Calls answered with HTTP status 429.",
                    struct service_row, calls.stats.throttled, 1),
        U64_COUNTER("moonwatch_service_calls_abandoned",
                    "Calls given up by the side that waited for the answer.", struct service_row,
                    calls.stats.abandoned, 1),
        U64_COUNTER("moonwatch_service_connects", "Connections that were established.",
                    struct service_row, calls.stats.opened, 1),
        U64_COUNTER("moonwatch_service_connects_abandoned",
                    "Connects given up by the caller, or for want of a local port.",
                    struct service_row, calls.stats.connects_abandoned, 1),
        U64_GAUGE("moonwatch_service_connections_open", "Connections that are established now.",
                  struct service_row, calls.connections_open, 1),
        U64_COUNTER("moonwatch_service_sent_bytes", "Payload that was acknowledged.",
                    struct service_row, calls.stats.bytes_sent, 1),
        U64_COUNTER("moonwatch_service_received_bytes", "Payload that was received.",
                    struct service_row, calls.stats.bytes_received, 1),
        U64_COUNTER("moonwatch_service_segments_sent", "TCP segments with payload.",
                    struct service_row, calls.stats.segments_sent, 1),
        U64_COUNTER("moonwatch_service_segments_retransmitted", "TCP segments sent again.",
                    struct service_row, calls.stats.retransmits, 1),
        READING_GAUGE("moonwatch_service_retransmit_ratio",
                      "Segments sent again, of all with payload, over the window.",
                      struct service_row, calls.transport.retransmit_percent, FROM_PERCENT),
        READING_GAUGE("moonwatch_service_round_trip_seconds",
                      "Mean of the smoothed round-trip times over the window.", struct service_row,
                      calls.transport.round_trip_seconds, 1),
    };

    METRIC_COLUMNS(e, columns, "role name ", NEED_CALLS,
                   (&(const struct metric_rows){rows, sizeof(*rows), count, label_service}));
}

void metrics_services(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_service_calls", "Calls, as far back as the kernel side counted.",
                    struct service_row, figures.calls_total, 1),
        U64_COUNTER("moonwatch_service_calls_failed", "Calls that failed, likewise.",
                    struct service_row, figures.failed_total, 1),
        READING_GAUGE("moonwatch_service_calls_per_second", "Calls per second over the window.",
                      struct service_row, figures.calls_per_second, 1),
        READING_GAUGE("moonwatch_service_failed_ratio", "Failed calls of all, over the window.",
                      struct service_row, figures.failed_percent, FROM_PERCENT),
        READING_GAUGE("moonwatch_service_latency_p50_seconds", "Median latency over the window.",
                      struct service_row, figures.p50_seconds, 1),
        READING_GAUGE("moonwatch_service_latency_p95_seconds", "Its 95th percentile.",
                      struct service_row, figures.p95_seconds, 1),
        READING_GAUGE("moonwatch_service_latency_p99_seconds", "Its 99th percentile.",
                      struct service_row, figures.p99_seconds, 1),
        READING_GAUGE("moonwatch_service_latency_max_seconds", "The longest, likewise.",
                      struct service_row, figures.max_seconds, 1),
        DOUBLE_GAUGE("moonwatch_service_degraded",
                     "1 when it performs significantly worse than usual.", struct service_row,
                     degraded, 1),
    };
    size_t count =
        s->services ? services_count(s->services) + services_upstream_count(s->services) : 0;
    struct service_row *rows = count ? calloc(count, sizeof(*rows)) : NULL;

    (void)m;
    if (!rows)
        return;
    count = gather_rows(s->services, clock_monotonic_ns(s->clock), rows);
    METRIC_COLUMNS(e, columns, "role name ", NEED_CALLS,
                   (&(const struct metric_rows){rows, sizeof(*rows), count, label_service}));
    count = keep_followed(rows, count);
    add_in_flight(e, rows, count);
    add_failures(e, rows, count);
    add_calls(e, rows, count);
    free(rows);
}

void metrics_breakers(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        DOUBLE_GAUGE(
            "moonwatch_breaker_enforced",
            "1 when connects to all its addresses are refused or redirected while it is open.",
            struct breaker_metrics, enforced, 1),
        U64_COUNTER("moonwatch_breaker_opened", "Times it opened, since the agent started.",
                    struct breaker_metrics, breaker.opened_total, 1),
        U64_COUNTER("moonwatch_breaker_transitions", "Changes of state, since the agent started.",
                    struct breaker_metrics, breaker.transitions_total, 1),
        U64_COUNTER("moonwatch_breaker_connects_refused", "Connects refused.",
                    struct breaker_metrics, breaker.refused_total, 1),
        U64_COUNTER("moonwatch_breaker_connects_redirected", "Connects sent to the fallback.",
                    struct breaker_metrics, breaker.redirected_total, 1),
        U64_COUNTER("moonwatch_breaker_probes", "Connects let through while half open.",
                    struct breaker_metrics, breaker.probes_total, 1),
        U64_COUNTER("moonwatch_breaker_connects_would_refuse",
                    "Connects that mode enforce had refused or redirected.", struct breaker_metrics,
                    breaker.would_refuse_total, 1),
        U64_GAUGE("moonwatch_retry_storm_clients",
                  "Local clients whose attempts to connect grow while the upstream fails.",
                  struct breaker_metrics, storming, 1),
        U64_COUNTER("moonwatch_retry_storms", "Times that a client began to do so.",
                    struct breaker_metrics, storms_total, 1),
    };
    size_t count = s->services ? services_upstream_count(s->services) : 0;
    struct breaker_metrics *rows = count ? calloc(count, sizeof(*rows)) : NULL;

    (void)m;
    if (!rows)
        return;
    gather_breakers(s->services, clock_monotonic_ns(s->clock), rows);
    add_states(e, rows, count);
    METRIC_COLUMNS(e, columns, "upstream ", NEED_UPSTREAMS,
                   (&(const struct metric_rows){rows, sizeof(*rows), count, label_breaker}));
    add_switches(e, rows, count);
    free(rows);
}
