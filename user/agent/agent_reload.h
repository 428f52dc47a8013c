/* Another configuration for the agent that runs. */
#ifndef MOONWATCH_AGENT_AGENT_RELOAD_H
#define MOONWATCH_AGENT_AGENT_RELOAD_H

#include "agent/agent_alerts.h"
#include "agent/agent_said.h"
#include "base/log.h"
#include "cli/cli.h"
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
    struct agent_said *said;
};

/* Reads the configuration again and replaces `*config` in all parts, or keeps the old one in all,
 * with one line in `error`. The log is told of both. */
int agent_reload(const struct agent_parts *parts, const struct run_options *options,
                 struct config **config, char error[RELOAD_ERROR_BYTES]);

#endif
