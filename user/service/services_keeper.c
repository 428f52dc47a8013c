#include "service/services_keeper.h"
#include "service/services_recall.h"
#include "store/keeper.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBLEM_BYTES 512

struct services_keeper {
    struct services_keeper_sources sources;
    struct keeper *keeper;
    uint64_t touched;
};

static cJSON *serialize(void *ctx)
{
    const struct services_keeper_sources *sources = &((const struct services_keeper *)ctx)->sources;

    return services_remember(sources->services, clock_monotonic_ns(sources->clock),
                             clock_realtime_ns(sources->clock));
}

static int restore(void *ctx, const cJSON *json, char *why, size_t size)
{
    const struct services_keeper_sources *sources = &((const struct services_keeper *)ctx)->sources;

    return services_recall(sources->services, json, clock_monotonic_ns(sources->clock),
                           clock_realtime_ns(sources->clock), why, size);
}

static uint64_t revision(void *ctx)
{
    return ((const struct services_keeper *)ctx)->touched;
}

static bool is_empty(void *ctx)
{
    const struct services *services = ((const struct services_keeper *)ctx)->sources.services;

    return services_count(services) + services_upstream_count(services) == 0;
}

static void say(void *ctx, const struct keeper_said *said)
{
    const struct services_keeper *s = ctx;
    char text[PROBLEM_BYTES];

    switch (said->event) {
    case KEEPER_RESTORED:
        return;
    case KEEPER_DAMAGED:
        snprintf(text, sizeof(text), "%s: damaged (%s), services learn anew%s%s", said->path,
                 said->why, said->moved_to ? ": moved to " : "",
                 said->moved_to ? said->moved_to : "");
        break;
    case KEEPER_UNREADABLE:
        snprintf(text, sizeof(text), "%s: what services have learnt cannot be read%s%s: %s",
                 said->path, said->moved_to ? ", and will be kept as " : "",
                 said->moved_to ? said->moved_to : "", said->why);
        break;
    case KEEPER_FAILS:
        snprintf(text, sizeof(text), "%s: what services learn cannot be kept: %s", said->path,
                 said->why);
        break;
    }
    s->sources.problem(s->sources.ctx, text);
}

int services_keeper_create(struct services_keeper **ret,
                           const struct services_keeper_sources *sources)
{
    struct services_keeper *s = calloc(1, sizeof(*s));
    const struct keeper_config config = {
        .loop = sources->loop,
        .clock = sources->clock,
        .directory = sources->directory,
        .name = "services.json",
    };
    const struct keeper_ops ops = {
        .serialize = serialize,
        .restore = restore,
        .revision = revision,
        .is_empty = is_empty,
        .say = say,
        .ctx = s,
    };
    int r;

    if (!s)
        return -ENOMEM;
    s->sources = *sources;
    r = keeper_create(&s->keeper, &config, &ops);
    if (r < 0) {
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void services_keeper_destroy(struct services_keeper *s)
{
    if (!s)
        return;
    keeper_destroy(s->keeper, !is_empty(s));
    free(s);
}

void services_keeper_touch(struct services_keeper *s)
{
    s->touched++;
    keeper_changed(s->keeper);
}

void services_keeper_tick(struct services_keeper *s)
{
    keeper_changed(s->keeper);
}
