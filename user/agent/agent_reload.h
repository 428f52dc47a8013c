/* Another configuration for the agent that runs. */
#ifndef MOONWATCH_AGENT_AGENT_RELOAD_H
#define MOONWATCH_AGENT_AGENT_RELOAD_H

#include "agent/agent_alerts.h"
#include "base/log.h"
#include "config/reload.h"
#include "health/health.h"
#include "http/server.h"
#include "service/live.h"

struct agent_parts {
    struct server *server;
    struct agent_alerts *alerts;
    struct live *live;
    struct health *health;
    struct log *log;
};

/* Takes `next` and destroys what `*config` was; on an error, with one line, it is the other way
 * round and nothing has changed. */
int agent_reload(const struct agent_parts *parts, struct config **config, struct config *next,
                 char error[RELOAD_ERROR_BYTES]);

#endif
