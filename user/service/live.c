#include "service/live.h"
#include "base/cgroup_path.h"
#include "probe/breaker_rows.h"
#include "service/attribution.h"
#include "service/enforce.h"
#include "service/follow.h"
#include "service/services_keeper.h"
#include "service/upstream_table.h"
#include "transfer/random.h"
#include "transfer/responder.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Processes, cgroups and network namespaces of services come and go. */
#define REFRESH_NS (2 * NS_PER_SECOND)

struct live {
    struct live_sources sources;
    struct live_ops ops;
    const struct config *config, *next; /* NULL: nothing is staged */
    struct services *services;
    struct services_keeper *keeper; /* NULL: nothing outlives a restart */
    struct cgroup_paths *cgroups;
    struct http *http;
    struct resolver *resolver;
    struct endpoint_checks *checks;
    struct responder *responder;
    struct upstream_table *table;
    struct attribution *attribution;
    struct follow *follow;   /* NULL: calls cannot be followed */
    struct enforce *enforce; /* NULL: no BPF */
    struct loop_source *alarm;
    uint64_t refreshed_ns;
};

static uint64_t now_of(const struct live *live)
{
    return clock_monotonic_ns(live->sources.clock);
}

/* 53 bits make every double of [0, 1) that is a multiple of 2^-53. */
static double draw(void *ctx)
{
    const struct random_source *random = random_system();

    (void)ctx;
    return (double)(random->next(random->ctx) >> 11) * 0x1p-53;
}

static void say(const struct live *live, const char *what)
{
    if (live->ops.problem)
        live->ops.problem(live->ops.ctx, what);
}

static void on_moved(void *ctx, const char *name, const struct breaker_transition *t)
{
    struct live *live = ctx;
    char text[PROBE_ERROR_BYTES];

    if (live->ops.breaker_moved)
        live->ops.breaker_moved(live->ops.ctx, name, t);
    if (live->keeper)
        services_keeper_touch(live->keeper);
    if (t->to == BREAKER_OPEN && t->from != BREAKER_HALF_OPEN && live->enforce && live->config) {
        size_t upstream = services_find_upstream(live->services, name);

        int r = upstream == SIZE_MAX ? 0 : enforce_opened(live->enforce, upstream);

        if (r < 0) {
            snprintf(text, sizeof(text), "open connections to %.64s are not closed: %s", name,
                     strerror(-r));
            say(live, text);
        }
    }
}

static void on_enforcement(void *ctx, const char *name, enum enforcement enforcement,
                           const char *why)
{
    const struct live *live = ctx;

    if (live->ops.enforcement_changed)
        live->ops.enforcement_changed(live->ops.ctx, name, enforcement, why);
}

static void on_switched(void *ctx, const char *name, const struct fallback_switch *s)
{
    const struct live *live = ctx;

    if (live->ops.fallback_switched)
        live->ops.fallback_switched(live->ops.ctx, name, s);
}

static void on_retry_storm(void *ctx, const char *name, const struct retry_client_view *client,
                           bool begun)
{
    const struct live *live = ctx;

    if (live->ops.retry_storm)
        live->ops.retry_storm(live->ops.ctx, name, client, begun);
}

static const char *cgroup_path(void *ctx, uint64_t cgroup_id)
{
    const struct live *live = ctx;

    return cgroup_paths_find(live->cgroups, cgroup_id, now_of(live)).path;
}

/* What changes between ticks takes effect at once. */
static void settle(struct live *live, uint64_t now_ns)
{
    uint64_t next_ns = services_tick(live->services, now_ns);

    if (live->enforce)
        enforce_tick(live->enforce, now_ns);
    loop_set_alarm(live->alarm, next_ns == UINT64_MAX ? 0 : next_ns);
}

static void on_cgroup_moved(void *ctx)
{
    struct live *live = ctx;

    enforce_look(live->enforce);
    settle(live, now_of(live));
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    settle(ctx, now_ns);
}

/* An upstream's own check is a call like any other; those of the endpoints of its fallback say
 * where to go. */
static void on_result(void *ctx, const struct endpoint_check_view *view)
{
    struct live *live = ctx;
    size_t upstream = view->owner == ENDPOINT_SERVICE
                          ? SIZE_MAX
                          : services_find_upstream(live->services, view->name);
    uint64_t now_ns = now_of(live);
    bool failed = view->status == ENDPOINT_FAILED;

    if (view->consecutive == 1 && live->ops.check_changed)
        live->ops.check_changed(live->ops.ctx, view);
    if (upstream == SIZE_MAX)
        return;
    if (view->owner == ENDPOINT_FALLBACK) {
        services_set_endpoint(live->services, upstream, view->index,
                              failed ? ENDPOINT_DOWN : ENDPOINT_UP);
    } else if (view->outcome != OUTCOME_THROTTLED) {
        double slow_ms = live->config->upstreams.items[upstream].breaker.slow_call_ms;

        services_call(live->services, upstream, now_ns, services_epoch(live->services, upstream),
                      failed, slow_ms > 0 && (double)view->latency_ns > slow_ms * NS_PER_MS,
                      view->url);
    }
    settle(live, now_ns);
}

static void on_answer(void *ctx, const struct upstream_answer *answer)
{
    struct live *live = ctx;
    size_t upstream = services_find_upstream(live->services, answer->upstream);

    responder_keep(live->responder, answer);
    if (upstream != SIZE_MAX && answer->good)
        services_set_cached(live->services, upstream, now_of(live));
}

static void on_state_problem(void *ctx, const char *what)
{
    const struct live *live = ctx;

    if (live->ops.state_problem)
        live->ops.state_problem(live->ops.ctx, what);
}

static int create_services(struct live *live, const struct config *config)
{
    struct services_rows rows = {.missing = live->sources.probe_missing};
    const struct services_ops ops = {.random = draw,
                                     .enforcement_changed = on_enforcement,
                                     .breaker_moved = on_moved,
                                     .fallback_switched = on_switched,
                                     .retry_storm = on_retry_storm,
                                     .cgroup_path = cgroup_path,
                                     .ctx = live};
    int r;

    if (live->sources.probe)
        rows.rows = probe_breaker_rows(live->sources.probe, &rows.missing);
    r = services_create(&live->services, config, &rows, &ops, now_of(live));
    if (r < 0 || !live->sources.state_directory)
        return r;
    return services_keeper_create(&live->keeper, &(struct services_keeper_sources){
                                                     .loop = live->sources.loop,
                                                     .clock = live->sources.clock,
                                                     .directory = live->sources.state_directory,
                                                     .services = live->services,
                                                     .problem = on_state_problem,
                                                     .ctx = live,
                                                 });
}

static int create_outgoing(struct live *live)
{
    const struct random_source *random = random_system();
    struct endpoint_check_sources sources = {
        .loop = live->sources.loop, .clock = live->sources.clock, .random = random};
    const struct endpoint_check_ops ops = {on_result, on_answer, live};
    int r = http_create(&live->http, live->sources.loop, live->sources.clock);

    if (r == 0)
        r = resolver_create(&live->resolver, live->sources.loop, live->sources.clock, random);
    if (r == 0)
        r = responder_create(&live->responder, live->sources.loop, live->sources.clock);
    sources.http = live->http;
    sources.resolver = live->resolver;
    return r < 0 ? r : endpoint_checks_create(&live->checks, &sources, &ops);
}

static int create_kernel_parts(struct live *live)
{
    const char *root = cgroup_paths_mount(live->cgroups, now_of(live));
    const struct upstream_table_sources table = {
        .probe = live->sources.probe, .resolver = live->resolver, .services = live->services};
    struct enforce_sources enforce = {.probe = live->sources.probe,
                                      .services = live->services,
                                      .responder = live->responder,
                                      .cgroup_root = root,
                                      .loop = live->sources.loop,
                                      .moved = on_cgroup_moved,
                                      .ctx = live};
    struct follow_sources follow = {.loop = live->sources.loop,
                                    .clock = live->sources.clock,
                                    .probe = live->sources.probe,
                                    .services = live->services};
    int r = upstream_table_create(&live->table, &table);

    if (r < 0 || !live->sources.probe)
        return r;
    enforce.table = live->table;
    r = attribution_create(&live->attribution, live->sources.probe, live->sources.host, root);
    follow.attribution = live->attribution;
    if (r == 0)
        r = follow_create(&live->follow, &follow);
    return r < 0 ? r : enforce_create(&live->enforce, &enforce);
}

static void say_failure(const struct live *live, int r, const char *error)
{
    if (r < 0)
        say(live, *error ? error : strerror(-r));
}

/* The kernel side may lack any of this: it is said, and the rest goes on. */
static void tell_kernel(struct live *live)
{
    char error[PROBE_ERROR_BYTES] = "", text[PROBE_ERROR_BYTES + 64];
    bool wanted = live->config->upstreams.count + live->config->services.count > 0;
    int r;

    if (live->enforce)
        say_failure(live, enforce_tell_clients(live->enforce, error), error);
    r = upstream_table_tell(live->table);
    if (!live->sources.probe || !wanted)
        return;
    if (r == 0)
        r = follow_tell(live->follow);
    if (r < 0) {
        snprintf(text, sizeof(text), "calls are not followed: %s", strerror(-r));
        say(live, text);
    }
    *error = '\0';
    say_failure(live, enforce_tell(live->enforce, error), error);
}

static int stage_parts(struct live *live, const struct config *config)
{
    int r = endpoint_checks_stage(live->checks, config);

    if (r == 0)
        r = responder_stage(live->responder, config);
    if (r == 0)
        r = upstream_table_stage(live->table, config);
    if (r == 0 && live->attribution)
        r = attribution_stage(live->attribution, config);
    if (r == 0 && live->follow)
        r = follow_stage(live->follow, config);
    live->next = config;
    return r;
}

static void commit_parts(struct live *live)
{
    live->config = live->next;
    live->next = NULL;
    endpoint_checks_commit(live->checks);
    responder_commit(live->responder);
    upstream_table_commit(live->table);
    if (live->attribution)
        attribution_commit(live->attribution);
    if (live->follow)
        follow_commit(live->follow);
    if (live->enforce)
        enforce_commit(live->enforce, live->config);
    live->refreshed_ns = 0;
}

int live_create(struct live **ret, const struct live_sources *sources, const struct live_ops *ops,
                const struct config *config)
{
    struct live *live = calloc(1, sizeof(*live));
    int r;

    if (!live)
        return -ENOMEM;
    live->sources = *sources;
    live->ops = *ops;
    r = loop_add_alarm(sources->loop, &live->alarm, on_alarm, live);
    if (r == 0)
        r = cgroup_paths_create(&live->cgroups, sources->host, CGROUP_UNIFIED);
    if (r == 0)
        r = create_services(live, config);
    if (r == 0)
        r = create_outgoing(live);
    if (r == 0)
        r = create_kernel_parts(live);
    if (r == 0)
        r = stage_parts(live, config);
    if (r < 0) {
        live_destroy(live);
        return r;
    }
    commit_parts(live);
    tell_kernel(live);
    settle(live, now_of(live));
    *ret = live;
    return 0;
}

void live_destroy(struct live *live)
{
    if (!live)
        return;
    enforce_destroy(live->enforce);
    follow_destroy(live->follow);
    attribution_destroy(live->attribution);
    upstream_table_destroy(live->table);
    endpoint_checks_destroy(live->checks);
    responder_destroy(live->responder);
    resolver_destroy(live->resolver);
    http_destroy(live->http);
    services_keeper_destroy(live->keeper);
    services_destroy(live->services);
    cgroup_paths_destroy(live->cgroups);
    loop_remove(live->alarm);
    free(live);
}

int live_stage(struct live *live, const struct config *config)
{
    int r;

    /* What has happened by now is the old configuration's. */
    settle(live, now_of(live));
    r = services_stage(live->services, config, now_of(live));
    if (r == 0)
        r = stage_parts(live, config);
    if (r < 0)
        live_unstage(live);
    return r;
}

void live_unstage(struct live *live)
{
    services_unstage(live->services);
    endpoint_checks_unstage(live->checks);
    responder_unstage(live->responder);
    upstream_table_unstage(live->table);
    if (live->attribution)
        attribution_unstage(live->attribution);
    if (live->follow)
        follow_unstage(live->follow);
    live->next = NULL;
}

void live_commit(struct live *live)
{
    services_commit(live->services, now_of(live));
    commit_parts(live);
}

void live_tell(struct live *live)
{
    tell_kernel(live);
    services_tell(live->services, now_of(live));
    settle(live, now_of(live));
}

void live_tick(struct live *live, const struct task_table *tasks, uint64_t now_ns)
{
    if (live->follow) {
        if (live->config->services.count > 0 &&
            (!live->refreshed_ns || now_ns - live->refreshed_ns >= REFRESH_NS)) {
            attribution_refresh(live->attribution, tasks);
            live->refreshed_ns = now_ns;
        }
        follow_tick(live->follow, now_ns);
    }
    if (live->enforce)
        enforce_look(live->enforce);
    settle(live, now_ns);
    if (live->keeper)
        services_keeper_tick(live->keeper);
}

void live_breaker_record(struct live *live, const struct record_breaker *record)
{
    uint64_t now_ns = now_of(live);

    if (live->follow && follow_breaker(live->follow, record, now_ns))
        settle(live, now_ns);
}

void live_call_failed(struct live *live, const struct record_call_failed *record)
{
    uint64_t now_ns = now_of(live);

    if (live->follow && follow_call_failed(live->follow, record, now_ns))
        settle(live, now_ns);
}

struct services *live_services(struct live *live)
{
    return live->services;
}

const struct endpoint_checks *live_checks(const struct live *live)
{
    return live->checks;
}
