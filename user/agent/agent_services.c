#include "agent/agent_services.h"
#include "agent/agent_log.h"
#include <errno.h>
#include <stdlib.h>

struct agent_services {
    struct live *live;
    struct agent_services_sources sources;
};

static void on_breaker_moved(void *ctx, const char *upstream, const struct breaker_transition *t)
{
    const struct agent_services *s = ctx;

    log_hold(s->sources.log);
    agent_log_breaker(s->sources.log, upstream, t);
    s->sources.breaker_moved(s->sources.ctx, upstream, t);
}

static void on_enforcement_changed(void *ctx, const char *upstream, enum enforcement enforcement,
                                   const char *why)
{
    const struct agent_services *s = ctx;

    agent_log_enforcement(s->sources.log, upstream, enforcement, why);
}

static void on_fallback_switched(void *ctx, const char *upstream, const struct fallback_switch *sw)
{
    const struct agent_services *s = ctx;

    agent_log_fallback(s->sources.log, upstream, sw);
}

static void on_retry_storm(void *ctx, const char *upstream, const struct retry_client_view *client,
                           bool begun)
{
    const struct agent_services *s = ctx;

    agent_log_retry_storm(s->sources.log, upstream, client, begun);
}

static void on_check_changed(void *ctx, const struct endpoint_check_view *view)
{
    const struct agent_services *s = ctx;

    agent_log_check(s->sources.log, view);
}

static void on_problem(void *ctx, const char *what)
{
    const struct agent_services *s = ctx;

    LOG_WARNING(s->sources.log, "performance_tracker", "Not everything configured is in force",
                LOG_STRING("reason", what));
}

static void on_state_problem(void *ctx, const char *what)
{
    const struct agent_services *s = ctx;

    LOG_WARNING(s->sources.log, "performance_tracker", "Saved state is not usable",
                LOG_STRING("reason", what));
}

int agent_services_create(struct agent_services **ret, const struct agent_services_sources *sources,
                          const struct config *config)
{
    struct agent_services *s = calloc(1, sizeof(*s));
    const struct live_ops ops = {
        .breaker_moved = on_breaker_moved,
        .enforcement_changed = on_enforcement_changed,
        .fallback_switched = on_fallback_switched,
        .retry_storm = on_retry_storm,
        .check_changed = on_check_changed,
        .problem = on_problem,
        .state_problem = on_state_problem,
        .ctx = s,
    };
    int r;

    if (!s)
        return -ENOMEM;
    s->sources = *sources;
    r = live_create(&s->live, &s->sources.live, &ops, config);
    if (r < 0) {
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void agent_services_destroy(struct agent_services *s)
{
    if (!s)
        return;
    live_destroy(s->live);
    free(s);
}

struct live *agent_services_live(const struct agent_services *s)
{
    return s->live;
}
