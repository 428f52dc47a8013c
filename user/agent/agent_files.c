#include "agent/agent_files.h"
#include "http/listen.h"
#include <errno.h>
#include <stdio.h>

/* Loop, timers, files of the kernel, state, a few connections and checks: 64 do on a small host. */
#define FILES_LEAST 64U
#define FILES_WITHOUT_PROGRAMS 72

int agent_files_begin(struct open_files_held *held)
{
    unsigned limit = open_files_raise();

    if (limit < FILES_LEAST) {
        fprintf(stderr,
                "moonwatch: the limit of open files is %u, the agent needs %u (raise it: "
                "LimitNOFILE= of the unit, ulimit -n)\n",
                limit, FILES_LEAST);
        return -EMFILE;
    }
    if (limit < listen_files_needed(0))
        open_files_hold(held, FILES_WITHOUT_PROGRAMS);
    return 0;
}

void agent_files_log(struct log *log, const struct config *config, const struct server_view *served)
{
    unsigned limit = open_files_limit(),
             needed = listen_files_needed(config->server.max_connections);

    if (served->admin_missing)
        LOG_WARNING(
            log, "agent", "There is no local token: only those of auth.tokens_file may use /admin",
            LOG_STRING("reason", served->admin_missing),
            LOG_STRING("mend", "set $RUNTIME_DIRECTORY (RuntimeDirectory= of the unit) to a "
                               "directory that can be written"));
    if (limit < needed)
        LOG_WARNING(log, "agent", "The limit of open files is low", LOG_U64("limit", limit),
                    LOG_U64("needed", needed), LOG_U64("connections", served->connection_limit),
                    LOG_STRING("mend", "raise LimitNOFILE= of the unit or ulimit -n, or lower "
                                       "server.max_connections"));
}
