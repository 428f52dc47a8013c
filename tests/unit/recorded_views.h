/* What the parts of the agent that no test can make up say of themselves: their views are replaced
 * when the program is linked (--wrap, see tests/CMakeLists.txt), so that every member has a value
 * of its own and none is the host's. Services are real; the figures that they show are not. */
#ifndef TEST_RECORDED_VIEWS_H
#define TEST_RECORDED_VIEWS_H

#include "http/server.h"
#include "recorded_figures.h"
#include <time.h>

static const char *views_unknown; /* why no reading in a view is known, else NULL */

/* So many figures lie between one row of a view and the next. */
#define VIEW_FIGURES 1000

static inline struct figure_source view_source(unsigned view, size_t row)
{
    return (struct figure_source){
        .last = (view * 10 + (unsigned)row) * VIEW_FIGURES,
        .unknown = views_unknown,
    };
}

#define OPEN_CONNECTIONS 4321

/* The compiler holds each replacement against what it replaces. */
#define REPLACES(name) __typeof__(name) __wrap_##name, __real_##name

REPLACES(services_service);
REPLACES(services_upstream);
REPLACES(services_breaker_history);
REPLACES(retry_storms_view);
REPLACES(retry_storms_total);
REPLACES(clock_gettime);

static inline void view_performance(struct figure_source *f, struct performance_view *ret)
{
    ret->window_seconds = next_double(f);
    ret->calls = next_count(f);
    ret->failed = next_count(f);
    ret->calls_total = next_count(f);
    ret->failed_total = next_count(f);
    fill_readings(f, &ret->calls_per_second, &ret->max_seconds);
    ret->usual.missing = NULL;
    ret->usual.calls = next_double(f);
    fill_readings(f, &ret->usual.failed_percent, &ret->usual.p95_seconds);
    ret->degraded = !views_unknown;
    ret->degraded_since_ns = ret->degraded ? FIGURES_MONOTONIC_NS - next_ns(f) % NS_PER_SECOND : 0;
    ret->worse_percent = views_unknown ? NAN : next_double(f);
    ret->unjudged = views_unknown;
    NAME(ret->reason, "p95 is %llu times the usual", (unsigned long long)next_count(f));
    if (!ret->degraded)
        ret->reason[0] = '\0';
}

static inline const struct call_figures *view_calls(struct figure_source *f,
                                                    struct call_figures *ret)
{
    struct call_stats *stats = &ret->stats;

    fill_fine_latency(f, &stats->turnaround);
    stats->ended_unmeasured = next_count(f);
    stats->abandoned = next_count(f);
    for (int i = 0; i < CALL_FAILURE_COUNT; i++)
        stats->failures[i] = next_count(f);
    stats->slow = next_count(f);
    stats->throttled = next_count(f);
    stats->connects_abandoned = next_count(f);
    stats->closed = next_count(f);
    stats->opened = stats->closed + OPEN_CONNECTIONS;
    stats->bytes_sent = next_count(f);
    stats->bytes_received = next_count(f);
    stats->segments_sent = next_count(f);
    stats->retransmits = next_count(f);
    stats->srtt_ns_sum = next_ns(f);
    stats->srtt_count = next_count(f);
    ret->flight.looked_ns = views_unknown ? 0 : FIGURES_MONOTONIC_NS;
    ret->flight.calls = next_count(f);
    ret->flight.oldest_since_ns = FIGURES_MONOTONIC_NS - 1234567890;
    return ret;
}

static inline void view_transport(struct figure_source *f, struct transport_view *ret)
{
    ret->window_seconds = next_double(f);
    fill_readings(f, &ret->sent_bytes_per_second, &ret->round_trip_seconds);
}

/* The first has all figures, the second none. */
void __wrap_services_service(const struct services *s, size_t service, struct service_view *ret)
{
    static struct call_figures calls;
    struct figure_source f = view_source(1, service);

    __real_services_service(s, service, ret);
    ret->missing = service == 0 ? NULL : "it does not run";
    view_performance(&f, &ret->performance);
    ret->calls = service == 0 ? view_calls(&f, &calls) : NULL;
    view_transport(&f, &ret->transport);
}

static inline struct breaker_figures view_breaker_figures(struct figure_source *f)
{
    return (struct breaker_figures){
        .consecutive_failures = next_count(f),
        .window = {next_count(f), next_count(f), next_count(f)},
        .failure_percent = views_unknown ? NAN : next_double(f),
        .slow_percent = views_unknown ? NAN : next_double(f),
        .probes = next_count(f),
        .probe_successes = next_count(f),
        .probe_failures = next_count(f),
        .threshold = views_unknown ? NAN : next_double(f),
    };
}

/* A transition for each cause there is. */
static struct breaker_transition view_history[BREAKER_CAUSE_COUNT];

static inline void view_transitions(struct figure_source *f)
{
    struct breaker_transition *history = view_history;

    _Static_assert(BREAKER_CAUSE_COUNT <= BREAKER_HISTORY, "each cause has a place");
    for (unsigned i = 0; i < BREAKER_CAUSE_COUNT; i++) {
        enum breaker_state to = (enum breaker_state)(i % BREAKER_STATE_COUNT);

        history[i] = (struct breaker_transition){
            .epoch = next_count(f),
            .at_ns = FIGURES_MONOTONIC_NS - (i + 1) * 10 * NS_PER_SECOND,
            .retry_ns = to == BREAKER_OPEN ? FIGURES_MONOTONIC_NS + i * NS_PER_SECOND : 0,
            .from = (enum breaker_state)((i + 1) % BREAKER_STATE_COUNT),
            .to = to,
            .cause = (enum breaker_cause)i,
            .by_kernel = i % 2,
            .figures = view_breaker_figures(f),
        };
        NAME(history[i].address, "10.0.0.%u:443", i);
    }
}

static inline void view_breaker(struct figure_source *f, struct breaker_view *ret)
{
    *ret = (struct breaker_view){
        .state = BREAKER_OPEN,
        .mode = BREAKER_MODE_ENFORCE,
        .epoch = next_count(f),
        .since_ns = FIGURES_MONOTONIC_NS - 20 * NS_PER_SECOND,
        .retry_ns = FIGURES_MONOTONIC_NS + 40 * NS_PER_SECOND,
        .enforced = true,
        .figures = view_breaker_figures(f),
        .recovery_timeout_ns = next_ns(f),
        .opened_total = next_count(f),
        .transitions_total = next_count(f),
        .refused_total = next_count(f),
        .redirected_total = next_count(f),
        .probes_total = next_count(f),
        .would_refuse_total = next_count(f),
    };
    view_transitions(f);
    ret->last = view_history[0];
}

/* The first is open, its fallback in use; of the second as little is known as can be. */
void __wrap_services_upstream(const struct services *s, size_t upstream, uint64_t now_ns,
                              struct upstream_view *ret)
{
    static struct call_figures calls[2];
    struct figure_source f = view_source(2, upstream);

    __real_services_upstream(s, upstream, now_ns, ret);
    ret->missing = NULL;
    view_performance(&f, &ret->performance);
    ret->calls = view_calls(&f, &calls[upstream]);
    view_transport(&f, &ret->transport);
    for (int i = 0; i < FALLBACK_OFFER_COUNT; i++)
        ret->fallback.switches_total[i] = next_count(&f);
    if (upstream == 1) {
        calls[1].flight = (struct call_flight){.looked_ns = FIGURES_MONOTONIC_NS};
        ret->fallback.choice = (struct fallback_choice){.offer = FALLBACK_OFFERS_NOTHING,
                                                        .refusal = "every endpoint is down"};
        ret->not_enforced = "its mode is observe";
        return;
    }
    view_breaker(&f, &ret->breaker);
    ret->fallback.choice = (struct fallback_choice){.offer = FALLBACK_OFFERS_ENDPOINT};
    ret->fallback_endpoint = "10.0.1.1:443";
    ret->enforcement = ENFORCEMENT_ACTIVE;
    ret->not_enforced = NULL;
    ret->acts = true;
}

size_t __wrap_services_breaker_history(const struct services *s, size_t upstream,
                                       struct breaker_transition ret[BREAKER_HISTORY])
{
    if (upstream == 1)
        return __real_services_breaker_history(s, upstream, ret);
    memcpy(ret, view_history, sizeof(view_history));
    return BREAKER_CAUSE_COUNT;
}

size_t __wrap_retry_storms_view(const struct retry_storms *r, struct retry_client_view *ret,
                                size_t max)
{
    (void)r;
    for (unsigned i = 0; i < 2 && i < max; i++) {
        struct figure_source f = view_source(3, i);

        ret[i] = (struct retry_client_view){
            .cgroup_id = next_count(&f),
            .attempts_per_second = next_double(&f),
            .usual_per_second = next_double(&f),
            .since_ns = FIGURES_MONOTONIC_NS - (i + 1) * NS_PER_SECOND,
            .pid = (uint32_t)next_count(&f),
        };
        NAME(ret[i].comm, "client%u", i);
        NAME(ret[i].cgroup, i == 0 ? "/web.slice/client.service" : "");
    }
    return 2;
}

uint64_t __wrap_retry_storms_total(const struct retry_storms *r)
{
    (void)r;
    return 3999;
}

/* The agent's own CPU time is the one clock that is not injected. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (clock != CLOCK_PROCESS_CPUTIME_ID)
        return __real_clock_gettime(clock, ret);
    *ret = (struct timespec){.tv_sec = 12, .tv_nsec = 345678901};
    return 0;
}

#endif
