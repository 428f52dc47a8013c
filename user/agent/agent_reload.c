#include "agent/agent_reload.h"
#include "agent/agent_config.h"
#include "agent/agent_log.h"
#include <unistd.h>

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
    p->parts->said->next_check_ns = 0;
}

static int set(const struct agent_parts *parts, struct config **config, struct config *next,
               char error[RELOAD_ERROR_BYTES])
{
    struct pointers pointers = {parts, config, *config, next};
    const struct config_part list[] = {
        {"pointers", NULL, NULL, commit_pointers, tell_pointers, &pointers},
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

int agent_reload(const struct agent_parts *parts, const struct run_options *options,
                 struct config **config, char error[RELOAD_ERROR_BYTES])
{
    const char *path = config_find(options->config_path, environ);
    struct config *next = NULL;
    int r = agent_config_read_again(options, parts->log, path, &next, error);

    if (r < 0)
        return r;
    r = set(parts, config, next, error);
    if (r < 0)
        LOG_ERROR(parts->log, "config", "Configuration rejected, the old one stays",
                  LOG_STRING("path", path), LOG_STRING("error", error));
    else
        LOG_INFO(parts->log, "agent", "Configuration reloaded", LOG_STRING("path", path));
    return r;
}
