#include "agent/agent_reload.h"
#include "agent/agent_log.h"
#include <stdio.h>

_Static_assert(SERVER_ERROR_BYTES <= RELOAD_ERROR_BYTES, "the server's errors are passed on");

/* What only points at the configuration, and cannot fail. */
struct pointers {
    const struct agent_parts *parts;
    struct config **config;
    struct config *old, *next;
};

static int stage_server(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    return server_stage(part, next, error);
}

static void unstage_server(void *part)
{
    server_unstage(part);
}

static void commit_server(void *part)
{
    server_commit(part);
}

static int stage_alerts(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    return agent_alerts_stage(part, next, error);
}

static void unstage_alerts(void *part)
{
    agent_alerts_unstage(part);
}

static void commit_alerts(void *part)
{
    agent_alerts_commit(part);
}

static void tell_alerts(void *part)
{
    agent_alerts_tell(part);
}

static int stage_live(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    (void)error;
    return live_stage(part, next);
}

static void unstage_live(void *part)
{
    live_unstage(part);
}

static void commit_live(void *part)
{
    live_commit(part);
}

static void tell_live(void *part)
{
    live_tell(part);
}

static int stage_pointers(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES])
{
    (void)part;
    (void)next;
    (void)error;
    return 0;
}

static void unstage_pointers(void *part)
{
    (void)part;
}

static void commit_pointers(void *part)
{
    const struct pointers *p = part;

    health_configure(p->parts->health, p->next);
    log_set_level(p->parts->log, (enum log_level)p->next->server.log_level);
    *p->config = p->next;
}

static void tell_pointers(void *part)
{
    const struct pointers *p = part;

    agent_log_restart_keys(p->parts->log, p->old, p->next);
}

int agent_reload(const struct agent_parts *parts, struct config **config, struct config *next,
                 char error[RELOAD_ERROR_BYTES])
{
    struct pointers pointers = {parts, config, *config, next};
    const struct config_part list[] = {
        {"pointers", stage_pointers, unstage_pointers, commit_pointers, tell_pointers, &pointers},
        {"alerts", stage_alerts, unstage_alerts, commit_alerts, tell_alerts, parts->alerts},
        {"services", stage_live, unstage_live, commit_live, tell_live, parts->live},
        {"server", stage_server, unstage_server, commit_server, NULL, parts->server},
    };
    size_t count = sizeof(list) / sizeof(list[0]);
    int r = config_parts_set(list, count, next, error);

    if (r < 0) {
        config_destroy(next);
        return r;
    }
    config_parts_tell(list, count);
    config_destroy(pointers.old);
    return 0;
}
