/* An agent on a host that was made up, at a moment that does not pass: what its answers are made
 * of. There are three of them: all is known; nothing is; it was known some time ago. */
#ifndef TEST_RECORDED_WORLD_H
#define TEST_RECORDED_WORLD_H

#include "alert_fixture.h"
#include "facts/last_known.h"
#include "facts/metrics.h"
#include "http/body.h"
#include "recorded_agent.h"
#include "recorded_events.h"
#include "tree.h"

#define WHY "unreadable in this test"
/* Longer than any check waits before it says what it sees. */
#define JUDGED_TICKS 400
#define STALE_SECONDS 90

enum recorded_world { WORLD_KNOWN, WORLD_MISSING, WORLD_STALE, WORLD_COUNT };

static const char *const world_names[WORLD_COUNT] = {"known", "missing", "stale"};

struct recorded {
    struct figures figures;
    struct tree *tree; /* the agent's own /proc */
    struct clock clock;
    struct world alerts;
    struct services *services;
    struct health *health;
    struct metrics *metrics;
    struct last_known *last_known;
    struct visibility_part visibility[VISIBILITY_PARTS];
    struct server_view server;
    struct facts facts;
    struct loop_view loop;
    struct server_sources sources;
    struct body_env env;
    char alert_id[ALERT_ID_BYTES]; /* of the alert that fires */
};

static const char recorded_configuration[] =
    "{\"services\":["
    "{\"name\":\"web\",\"kind\":\"http\",\"match\":{\"comm\":\"nginx\"}},"
    "{\"name\":\"nightly\",\"kind\":\"job\",\"match\":{\"comm\":\"nightly\"}}],"
    "\"upstreams\":["
    "{\"name\":\"pay\",\"address\":[\"10.0.0.1:443\",\"10.0.0.2:443\"],"
    "\"breaker\":{\"mode\":\"enforce\"},\"fallback\":{\"strategy\":\"alternative\","
    "\"endpoints\":[\"10.0.1.1:443\",\"10.0.1.2:443\"]}},"
    "{\"name\":\"db\",\"address\":\"10.0.0.3:5432\"}],"
    "\"alert_manager\":{" AT_ONCE "\"cooldown_period\":0,\"rules\":[" NO_BUILT_IN ","
    "{\"name\":\"Fires\",\"metric\":\"fires\",\"above\":5,\"for\":0,\"severity\":\"error\","
    "\"summary\":\"{{ $labels.subject }} is at {{ $value }}\"},"
    "{\"name\":\"Acked\",\"metric\":\"acked\",\"above\":5,\"for\":0},"
    "{\"name\":\"Silenced\",\"metric\":\"silenced\",\"above\":5,\"for\":0},"
    "{\"name\":\"Waits\",\"metric\":\"waits\",\"above\":5,\"for\":86400},"
    "{\"name\":\"Crashed\",\"kind\":\"event\",\"event\":\"crash\",\"severity\":\"critical\"},"
    "{\"name\":\"Over\",\"metric\":\"over\",\"above\":5,\"for\":0}]}}";

static uint64_t recorded_monotonic_ns(void *ctx)
{
    (void)ctx;
    return FIGURES_MONOTONIC_NS;
}

static uint64_t recorded_realtime_ns(void *ctx)
{
    (void)ctx;
    return FIGURES_REALTIME_NS;
}

static double recorded_random(void *ctx)
{
    (void)ctx;
    return 0;
}

/* The sources that are replaced by their views are never looked into. */
static inline void *recorded_token(void)
{
    static char token;

    return &token;
}

static inline void recorded_silence(struct recorded *r, const char *matchers, const char *comment)
{
    char id[24], error[160];

    assert_int_equal(alert_manager_silence(
                         r->alerts.manager, matchers, FIGURES_REALTIME_NS - NS_PER_SECOND,
                         FIGURES_REALTIME_NS + 3600 * NS_PER_SECOND, "ann", comment, id, error),
                     0);
}

/* An alert in each state, acknowledged and silenced ones too. */
static inline void recorded_alerts(struct recorded *r)
{
    struct world *w = &r->alerts;
    struct alert_view view;

    w->now = FIGURES_MONOTONIC_NS / NS_PER_SECOND - 20;
    w->realtime_offset = -(int64_t)(FIGURES_MONOTONIC_NS / NS_PER_SECOND);
    recorded_silence(r, "alertname=Silenced", "known since Monday");
    recorded_silence(r, "alertname=~\"No.*\",severity=error", "there is none");
    run_until(w, w->now + 1);
    alert_manager_note_change(w->manager, "the configuration was read again");
    add_event(w, "crash", "nginx", "nginx (pid 4242) crashed by SIGSEGV");
    set_metric(w, "fires", "disk", 6.25);
    set_metric(w, "acked", NULL, 7.25);
    set_metric(w, "silenced", NULL, 8.25);
    set_metric(w, "waits", NULL, 9.25);
    set_metric(w, "over", NULL, 10.25);
    run_until(w, w->now + 9);
    set_metric(w, "over", NULL, 1.25);
    assert_true(find_view(w, "Acked", "", &view));
    assert_int_equal(alert_manager_ack(w->manager, view.id, "bob", "on it", 3600), 0);
    run_until(w, w->now + 10);
    assert_true(find_view(w, "Fires", "disk", &view));
    snprintf(r->alert_id, sizeof(r->alert_id), "%s", view.id);
}

static inline void recorded_judge(struct recorded *r, unsigned ticks)
{
    struct snapshot *s = &r->figures.snapshot;

    for (unsigned i = ticks; i > 0; i--) {
        s->monotonic_ns = FIGURES_MONOTONIC_NS - (i - 1) * NS_PER_SECOND;
        health_tick(r->health, s, r->facts.probe);
    }
}

/* All readings were known once, and are not any more; of memory and network the whole section. */
static inline void recorded_age(struct recorded *r)
{
    struct snapshot *s = &r->figures.snapshot;

    last_known_update(r->last_known, s, FIGURES_MONOTONIC_NS - STALE_SECONDS * NS_PER_SECOND);
    fill_figures(&r->figures, WHY);
    s->memory.missing = WHY;
    s->network.missing = WHY;
    last_known_update(r->last_known, s, FIGURES_MONOTONIC_NS);
}

static inline int recorded_reload(void *ctx, char *error, size_t size)
{
    (void)ctx, (void)error, (void)size;
    return 0;
}

static inline void recorded_sources(struct recorded *r, enum recorded_world which)
{
    static const char *const parts[] = {"processes", "cgroups", "disks", "network"};

    for (size_t i = 0; i < VISIBILITY_PARTS; i++)
        r->visibility[i] = (struct visibility_part){
            parts[i], which == WORLD_KNOWN && i != 1 ? NULL : "the agent is in a container"};
    r->clock = (struct clock){recorded_monotonic_ns, recorded_realtime_ns, NULL};
    r->facts = (struct facts){
        .clock = &r->clock,
        .host = &r->tree->host,
        .snapshot = &r->figures.snapshot,
        .visibility = r->visibility,
        .health = r->health,
        .probe_missing = WHY,
        .services_missing = WHY,
        .started_monotonic_ns = FIGURES_MONOTONIC_NS - 4321987654321,
    };
    r->sources = (struct server_sources){.facts = &r->facts};
    if (which == WORLD_MISSING)
        return;
    r->loop = recorded_loop();
    r->facts.loop = &r->loop;
    r->facts.server = &r->server;
    r->facts.started_realtime_ns = FIGURES_REALTIME_NS - NS_PER_SECOND;
    r->facts.log = recorded_token();
    r->facts.collectors = recorded_token();
    r->facts.probe = recorded_token();
    r->facts.notify = recorded_token();
    r->facts.alert_state = recorded_token();
    r->facts.checks = recorded_token();
    r->facts.alerts = r->alerts.manager;
    r->facts.services = r->services;
    r->sources.reload = recorded_reload;
    view_server(&r->server);
}

/* /proc/self of a process of 64 MiB, 7 threads and, by the directory's size, 19 files. */
static inline void recorded_own_proc(struct tree *tree)
{
    char stat[256];

    snprintf(stat, sizeof(stat),
             "42 (moonwatch) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 7 0 99 0 %ld 0\n",
             (64L << 20) / sysconf(_SC_PAGESIZE));
    tree_write(tree, "proc/self/stat", stat);
    tree_write(tree, "proc/self/fd", "nineteen bytes long");
}

static inline struct recorded *recorded_create(enum recorded_world which)
{
    const struct services_ops ops = {.random = recorded_random};
    const struct services_rows rows = {NULL, WHY};
    struct recorded *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    views_unknown = which == WORLD_STALE ? WHY : NULL;
    r->tree = tree_create();
    recorded_own_proc(r->tree);
    world_open(&r->alerts, recorded_configuration);
    recorded_alerts(r);
    assert_int_equal(
        services_create(&r->services, r->alerts.config, &rows, &ops, FIGURES_MONOTONIC_NS), 0);
    assert_int_equal(health_create(&r->health, r->alerts.config), 0);
    assert_int_equal(metrics_create(&r->metrics, &r->tree->host), 0);
    assert_int_equal(last_known_create(&r->last_known), 0);
    fill_figures(&r->figures, which == WORLD_MISSING ? WHY : NULL);
    if (which == WORLD_MISSING)
        lose_sections(&r->figures);
    recorded_sources(r, which);
    health_set_services(r->health, r->facts.services, r->facts.checks);
    if (which == WORLD_STALE)
        recorded_age(r);
    recorded_judge(r, JUDGED_TICKS);
    facts_take(&r->facts);
    r->env = (struct body_env){
        .facts = &r->facts,
        .sources = &r->sources,
        .metrics = r->metrics,
        .slow_wait_seconds = which == WORLD_MISSING ? NAN : 0.125,
    };
    return r;
}

static inline void recorded_destroy(struct recorded *r)
{
    facts_release(&r->facts);
    last_known_destroy(r->last_known);
    metrics_destroy(r->metrics);
    health_destroy(r->health);
    services_destroy(r->services);
    world_close(&r->alerts);
    tree_destroy(r->tree);
    free(r);
}

#endif
