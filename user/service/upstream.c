#include "service/upstream.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of calls, before an upstream fails: one may be an accident. */
#define FAILURES_IN_A_ROW 3
#define FAILING_PERCENT 50

static double on_random(void *ctx)
{
    const struct upstream *u = ctx;

    return u->ops->random(u->ops->ctx);
}

static void on_moved(void *ctx, const struct breaker_transition *t)
{
    const struct upstream *u = ctx;
    struct breaker_transition told = *t;

    told.not_enforced = !u->said_acts && u->said != ENFORCEMENT_PENDING;
    if (u->ops->breaker_moved)
        u->ops->breaker_moved(u->ops->ctx, u->name, &told);
}

static void on_switched(void *ctx, const struct fallback_switch *s)
{
    const struct upstream *u = ctx;

    if (u->ops->fallback_switched)
        u->ops->fallback_switched(u->ops->ctx, u->name, s);
}

static void describe_addresses(const struct config_upstream *of, char out[BREAKER_ADDRESS_BYTES])
{
    if (of->addresses.count > 1)
        snprintf(out, BREAKER_ADDRESS_BYTES, "%.60s and %zu more", of->addresses.items[0],
                 of->addresses.count - 1);
    else
        snprintf(out, BREAKER_ADDRESS_BYTES, "%s", of->addresses.items[0]);
}

static struct config_breaker rules_of(const struct config *config, const struct config_upstream *of)
{
    struct config_breaker rules = of->breaker;

    if (!config->circuit_breaker.enabled)
        rules.mode = BREAKER_MODE_DISABLED;
    rules.dry_run = config->dry_run;
    return rules;
}

static enum endpoint_state *make_endpoints(const struct config_upstream *of)
{
    return calloc(of->fallback.endpoints.count + 1, sizeof(enum endpoint_state));
}

int upstream_create(struct upstream **ret, const struct config *config,
                    const struct config_upstream *of, const struct services_ops *ops,
                    uint64_t now_ns)
{
    const struct config_breaker rules = rules_of(config, of);
    struct upstream *u = calloc(1, sizeof(*u));
    const struct breaker_ops breaker_ops = {on_random, on_moved, u};
    const struct fallback_ops fallback_ops = {on_switched, u};
    char address[BREAKER_ADDRESS_BYTES];
    int r;

    if (!u)
        return -ENOMEM;
    u->ops = ops;
    u->config = of;
    u->name = strdup(of->name);
    u->said = ENFORCEMENT_PENDING;
    upstream_set_enforcement(u, ENFORCEMENT_PENDING, false, "it was not looked at yet");
    describe_addresses(of, address);
    u->endpoints = make_endpoints(of);
    u->endpoint_count = of->fallback.endpoints.count;
    r = u->name && u->endpoints ? 0 : -ENOMEM;
    if (r == 0)
        r = performance_create(&u->performance, of->name,
                               config->performance_tracker.window_size_seconds,
                               config->performance_tracker.degradation_threshold, now_ns);
    if (r == 0)
        r = retry_storms_create(&u->retries);
    if (r == 0)
        r = fallback_create(&u->fallback, &of->fallback, &fallback_ops);
    if (r == 0)
        r = breaker_create(&u->breaker, &rules, address, &breaker_ops);
    if (r < 0) {
        upstream_destroy(u);
        return r;
    }
    *ret = u;
    return 0;
}

void upstream_set_enforcement(struct upstream *u, enum enforcement enforcement, bool acts,
                              const char *why)
{
    u->enforcement = enforcement;
    u->acts = acts;
    snprintf(u->why, sizeof(u->why), "%s", why ? why : "");
}

void upstream_destroy(struct upstream *u)
{
    if (!u)
        return;
    breaker_destroy(u->breaker);
    fallback_destroy(u->fallback);
    performance_destroy(u->performance);
    retry_storms_destroy(u->retries);
    free(u->next_endpoints);
    free(u->endpoints);
    free(u->name);
    free(u);
}

void upstream_place(struct upstream *u, size_t row_index, struct breaker_row *row)
{
    u->row = row_index;
    breaker_place(u->breaker, row);
}

int upstream_stage(struct upstream *u, const struct config *config,
                   const struct config_upstream *of)
{
    const struct config_breaker rules = rules_of(config, of);

    upstream_unstage(u);
    u->next_config = of;
    u->next_endpoints = make_endpoints(of);
    return u->next_endpoints ? breaker_stage(u->breaker, &rules) : -ENOMEM;
}

void upstream_unstage(struct upstream *u)
{
    free(u->next_endpoints);
    u->next_endpoints = NULL;
    u->next_config = NULL;
    breaker_unstage(u->breaker);
}

void upstream_commit(struct upstream *u, const struct config *config, uint64_t now_ns)
{
    const struct config_upstream *of = u->next_config;
    char address[BREAKER_ADDRESS_BYTES];

    free(u->endpoints);
    u->endpoints = u->next_endpoints;
    u->endpoint_count = of->fallback.endpoints.count;
    u->next_endpoints = NULL;
    u->next_config = NULL;
    u->config = of;
    fallback_configure(u->fallback, &of->fallback);
    performance_configure(u->performance, config->performance_tracker.window_size_seconds,
                          config->performance_tracker.degradation_threshold, now_ns);
    describe_addresses(of, address);
    breaker_commit(u->breaker, address);
}

void upstream_tell(struct upstream *u, uint64_t now_ns)
{
    breaker_tell(u->breaker, now_ns);
}

/* A total that went back (fresh maps) counts from 0. */
static uint64_t grown(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

/* A call is slow before it has ended: it counts as a call then, and not again at its end. */
static void count_slow_at_once(struct upstream *u, struct calls *delta)
{
    uint64_t again;

    if (delta->slow > delta->count) {
        u->counted_early += delta->slow - delta->count;
        delta->count = delta->slow;
        return;
    }
    again = delta->count - delta->slow;
    if (again > u->counted_early)
        again = u->counted_early;
    delta->count -= again;
    u->counted_early -= again;
}

void upstream_feed(struct upstream *u, uint64_t now_ns, const struct traffic *total,
                   uint64_t slow_total)
{
    const struct calls now = {total->calls, total->failed, slow_total};
    struct calls delta = {
        .count = grown(now.count, u->fed.count),
        .failed = grown(now.failed, u->fed.failed),
        .slow = grown(now.slow, u->fed.slow),
    };

    performance_feed(u->performance, now_ns, total);
    /* What was counted before the first time is not of this agent's time. */
    if (u->is_fed) {
        count_slow_at_once(u, &delta);
        breaker_calls(u->breaker, now_ns, &delta);
    }
    u->fed = now;
    u->is_fed = true;
}

static void on_storm(void *ctx, const struct retry_client_view *client, bool begun)
{
    const struct upstream *u = ctx;

    if (u->ops->retry_storm)
        u->ops->retry_storm(u->ops->ctx, u->name, client, begun);
}

static const char *path_of(void *ctx, uint64_t cgroup_id)
{
    const struct upstream *u = ctx;

    return u->ops->cgroup_path ? u->ops->cgroup_path(u->ops->ctx, cgroup_id) : NULL;
}

/* So much that whoever calls it has reason to try again. */
static bool is_failing(const struct breaker_view *b)
{
    return (b->state != BREAKER_CLOSED && b->state != BREAKER_OFF) ||
           b->figures.consecutive_failures >= FAILURES_IN_A_ROW ||
           (b->figures.window.count >= FAILURES_IN_A_ROW &&
            b->figures.failure_percent >= FAILING_PERCENT);
}

void upstream_tick(struct upstream *u, uint64_t now_ns)
{
    const struct retry_storm_ops storms = {on_storm, path_of, u};
    struct fallback_choice choice;
    struct fallback_input in = {.endpoints = u->endpoints, .cached_ns = u->cached_ns};
    struct breaker_view view;

    breaker_tick(u->breaker, now_ns);
    breaker_view(u->breaker, now_ns, &view);
    retry_storms_tick(u->retries, now_ns, is_failing(&view), &storms);
    in.open = u->acts && view.enforced && view.state != BREAKER_CLOSED && view.state != BREAKER_OFF;
    fallback_tick(u->fallback, now_ns, &in, &choice);
}

void upstream_standby(const struct upstream *u, uint64_t now_ns, struct fallback_choice *ret)
{
    const struct fallback_input in = {.endpoints = u->endpoints, .cached_ns = u->cached_ns};

    fallback_standby(u->fallback, now_ns, &in, ret);
}
