/* The services and upstreams at work, and what of them goes to the log. */
#ifndef MOONWATCH_AGENT_AGENT_SERVICES_H
#define MOONWATCH_AGENT_AGENT_SERVICES_H

#include "base/log.h"
#include "service/live.h"

struct agent_services;

/* Borrowed. */
struct agent_services_sources {
    struct live_sources live;
    struct log *log;
    /* After it was logged. */
    void (*breaker_moved)(void *ctx, const char *upstream, const struct breaker_transition *t);
    void *ctx;
};

/* `config` is borrowed until live_commit(). */
int agent_services_create(struct agent_services **ret, const struct agent_services_sources *sources,
                          const struct config *config);
void agent_services_destroy(struct agent_services *s); /* NULL is fine */
struct live *agent_services_live(const struct agent_services *s);

#endif
