/* The views of the agent's own parts, as in recorded_views.h: probe, checks, channels, outbox,
 * state on disk, log, collectors, loop, counters of alerts. */
#ifndef TEST_RECORDED_AGENT_H
#define TEST_RECORDED_AGENT_H

#include "recorded_views.h"

REPLACES(probe_program_count);
REPLACES(probe_program_view);
REPLACES(probe_map_count);
REPLACES(probe_map_view);
REPLACES(probe_view);
REPLACES(probe_concern_active);
REPLACES(endpoint_check_count);
REPLACES(endpoint_check_view);
REPLACES(notify_channel_count);
REPLACES(notify_channel_view);
REPLACES(notify_outbox_view);
REPLACES(state_file_view);
REPLACES(log_view);
REPLACES(collectors_count);
REPLACES(collectors_view);
REPLACES(alert_manager_counters);

/* One in each state. */
#define VIEW_PROGRAMS 4

size_t __wrap_probe_program_count(const struct probe *probe)
{
    (void)probe;
    return VIEW_PROGRAMS;
}

void __wrap_probe_program_view(const struct probe *probe, size_t index, struct program_view *ret)
{
    static const char *const names[VIEW_PROGRAMS] = {"switch", "twin", "unused", "shed"};
    static const char *const targets[VIEW_PROGRAMS] = {"tp_btf/sched_switch", "raw_tp/sched_switch",
                                                       "fentry/tcp_connect", "kprobe/tcp_connect"};
    struct figure_source f = view_source(4, index);

    (void)probe;
    *ret = (struct program_view){
        .name = names[index],
        .target = targets[index],
        .concern = (enum probe_concern)index,
        .state = (enum program_state)index,
        .reason = index == PROGRAM_ATTACHED ? "" : "it \"may\" not run",
        .sampled = true,
        .runs_sampled_total = next_count(&f),
        .run_ns_sampled_total = next_ns(&f),
        .ns_per_run = index == PROGRAM_UNUSED ? NAN : next_double(&f),
        .runs_per_second = index == PROGRAM_UNUSED ? NAN : next_double(&f),
        .cpu_percent = index == PROGRAM_UNUSED ? NAN : next_double(&f),
        .shed_total = next_count(&f),
        .retry_at_ns = index == PROGRAM_SHED ? FIGURES_MONOTONIC_NS + 59 * NS_PER_SECOND : 0,
    };
}

size_t __wrap_probe_map_count(const struct probe *probe)
{
    (void)probe;
    return 2;
}

void __wrap_probe_map_view(const struct probe *probe, size_t index, struct map_view *ret)
{
    struct figure_source f = view_source(5, index);

    (void)probe;
    *ret = (struct map_view){index ? "events" : "runq", next_count(&f)};
}

void __wrap_probe_view(const struct probe *probe, struct probe_view *ret)
{
    struct figure_source f = view_source(6, 0);

    (void)probe;
    *ret = (struct probe_view){
        .budget_percent = next_double(&f),
        .cpu_percent = next_double(&f),
        .stats_seconds_total = next_double(&f),
        .ring_bytes = (uint32_t)next_count(&f),
    };
    for (int t = 0; t < RECORD_TYPE_COUNT; t++) {
        ret->records[t].produced = next_count(&f);
        ret->records[t].consumed = next_count(&f);
        ret->records[t].dropped = next_count(&f);
    }
    fill_counts(&f, (uint64_t *)&ret->map_drops[0],
                (uint64_t *)&ret->map_drops[MAP_DROP_COUNT - 1]);
}

bool __wrap_probe_concern_active(const struct probe *probe, enum probe_concern c,
                                 const char **ret_reason)
{
    (void)probe;
    if (c != CONCERN_BREAKER)
        return true;
    *ret_reason = "this kernel has no such hook";
    return false;
}

/* Of each type and each owner, in each status. */
#define VIEW_CHECKS 5

size_t __wrap_endpoint_check_count(const struct endpoint_checks *checks)
{
    (void)checks;
    return VIEW_CHECKS;
}

static inline void view_connections(struct figure_source *f, struct endpoint_connections *ret)
{
    ret->known = ret->states_known = ret->limit_known = true;
    ret->total = (unsigned)next_count(f);
    ret->limit = (unsigned)next_count(f);
    ret->active = (unsigned)next_count(f);
    ret->idle = (unsigned)next_count(f);
    ret->idle_in_transaction = (unsigned)next_count(f);
    ret->other = (unsigned)next_count(f);
    ret->blocked = (unsigned)next_count(f);
}

static inline void view_result(struct figure_source *f, struct endpoint_check_view *ret)
{
    ret->status = ret->type == CHECK_TCP ? ENDPOINT_FAILED : ENDPOINT_OK;
    ret->reason = ret->type == CHECK_TCP ? "connection refused" : "";
    ret->since_ns = FIGURES_MONOTONIC_NS - 20 * NS_PER_SECOND;
    ret->last_ns = FIGURES_MONOTONIC_NS - NS_PER_SECOND;
    ret->next_ns = FIGURES_MONOTONIC_NS + 4 * NS_PER_SECOND;
    ret->consecutive = (unsigned)next_count(f);
    ret->latency_ns = ret->type == CHECK_TCP ? 0 : next_ns(f);
    ret->http_status = ret->type == CHECK_HTTP ? 204 : 0;
    ret->certificate_days =
        ret->type == CHECK_HTTP ? (int)next_count(f) : HTTP_CERTIFICATE_DAYS_UNKNOWN;
    ret->runs_total = next_count(f);
    ret->failed_total = next_count(f);
    if (ret->type == CHECK_POSTGRES || ret->type == CHECK_REDIS)
        view_connections(f, &ret->connections);
}

void __wrap_endpoint_check_view(const struct endpoint_checks *checks, size_t index,
                                struct endpoint_check_view *ret)
{
    static const struct endpoint_check_view rows[VIEW_CHECKS] = {
        {.name = "web", .type = CHECK_HTTP, .url = "https://127.0.0.1/health"},
        {.name = "nightly", .type = CHECK_TCP, .url = "tcp://127.0.0.1:9000"},
        {.name = "db", .type = CHECK_POSTGRES, .url = "postgres://10.0.0.3/"},
        {.name = "pay", .type = CHECK_REDIS, .url = "redis://10.0.0.1/"},
        {.name = "pay", .type = CHECK_TCP, .url = "tcp://10.0.1.1:443"},
    };
    static const enum endpoint_owner owners[VIEW_CHECKS] = {ENDPOINT_SERVICE, ENDPOINT_SERVICE,
                                                            ENDPOINT_UPSTREAM, ENDPOINT_UPSTREAM,
                                                            ENDPOINT_FALLBACK};
    struct figure_source f = view_source(7, index);

    (void)checks;
    *ret = rows[index];
    ret->owner = owners[index];
    ret->reason = "it was not asked yet";
    ret->certificate_days = HTTP_CERTIFICATE_DAYS_UNKNOWN;
    if (!views_unknown && index < VIEW_CHECKS - 1)
        view_result(&f, ret);
}

size_t __wrap_notify_channel_count(const struct notify *n)
{
    (void)n;
    return NOTIFY_STATE_COUNT;
}

void __wrap_notify_channel_view(const struct notify *n, size_t index,
                                struct notify_channel_view *ret)
{
    static const char *const types[NOTIFY_STATE_COUNT] = {"webhook", "alertmanager", "email",
                                                          "slack"};
    struct figure_source f = view_source(8, index);
    bool ok = index == NOTIFY_OK;

    (void)n;
    *ret = (struct notify_channel_view){
        .name = types[index],
        .type = types[index],
        .peer = index == 1 ? "http://10.0.2.1:9093" : "",
        .state = (enum notify_state)index,
        .error = ok ? "" : "the receiver said 500",
        .queued = next_count(&f),
        .sent_total = next_count(&f),
        .failed_total = next_count(&f),
        .retried_total = next_count(&f),
        .dropped_total = next_count(&f),
        .heartbeats_total = next_count(&f),
        .last_success_ns = ok ? FIGURES_REALTIME_NS - next_ns(&f) % NS_PER_SECOND : 0,
        .oldest_queued_ns = ok ? 0 : FIGURES_REALTIME_NS - next_ns(&f) % NS_PER_SECOND,
        .next_attempt_ns = ok ? 0 : FIGURES_REALTIME_NS + next_ns(&f) % NS_PER_SECOND,
    };
    fill_latency(&f, &ret->latency);
}

void __wrap_notify_outbox_view(const struct notify *n, struct outbox_view *ret)
{
    struct figure_source f = view_source(9, 0);

    (void)n;
    *ret = (struct outbox_view){
        .open = true,
        .queued = next_count(&f),
        .stored = next_count(&f),
        .duplicates = next_count(&f),
        .not_durable = next_count(&f),
        .removed = next_count(&f),
        .recovered = next_count(&f),
        .made_again = next_count(&f),
        .moved_aside = next_count(&f),
    };
}

void __wrap_state_file_view(const struct state_file *file, struct state_file_view *ret)
{
    struct figure_source f = view_source(10, 0);

    (void)file;
    *ret = (struct state_file_view){
        .writes_total = next_count(&f),
        .failures_total = next_count(&f),
        .last_seconds = next_double(&f),
        .last_bytes = next_count(&f),
    };
}

void __wrap_log_view(struct log *log, struct log_view *ret)
{
    struct figure_source f = view_source(11, 0);

    (void)log;
    *ret = (struct log_view){next_count(&f), next_count(&f)};
}

size_t __wrap_collectors_count(void)
{
    return 2;
}

void __wrap_collectors_view(const struct collectors *collectors, size_t index,
                            struct collector_view *ret)
{
    struct figure_source f = view_source(12, index);

    (void)collectors;
    *ret = (struct collector_view){index ? "memory" : "cpu", next_double(&f)};
}

static inline struct loop_view recorded_loop(void)
{
    struct figure_source f = view_source(13, 0);

    return (struct loop_view){next_ns(&f), next_ns(&f), next_count(&f)};
}

void __wrap_alert_manager_counters(const struct alert_manager *m, struct alert_counters *ret)
{
    struct figure_source f = view_source(14, 0);

    (void)m;
    fill_counts(&f, &ret->evaluated, &ret->notifications[NOTICE_KIND_COUNT - 1]);
}

static inline void view_server(struct server_view *ret)
{
    struct figure_source f = view_source(15, 0);

    *ret = (struct server_view){
        .requests_total = next_count(&f),
        .connections_evicted_total = next_count(&f),
        .tokens_wrong_total = next_count(&f),
        .tokens_unread_total = next_count(&f),
        .accept_pauses_total = next_count(&f),
        .connections = (unsigned)next_count(&f),
        .connection_limit = (unsigned)next_count(&f),
    };
}

#endif
