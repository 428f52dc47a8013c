/* The alert layer at work in the agent: its source, its manager, its state on disk, delivery. */
#ifndef MOONWATCH_AGENT_AGENT_ALERTS_H
#define MOONWATCH_AGENT_AGENT_ALERTS_H

#include "alert/alert.h"
#include "base/host.h"
#include "base/log.h"
#include "breaker/breaker.h"
#include "config/reload.h"
#include "http/server.h"

struct agent_alerts;

/* All borrowed. */
struct agent_alerts_sources {
    struct log *log;
    struct loop *loop;
    const struct clock *clock;
    const struct host *host;
    const char *state_directory;
    const struct collectors *collectors;
    const struct health *health;
    const struct services *services;
    const struct endpoint_checks *checks;
    const struct probe *probe; /* may be NULL */
};

/* Goes on where the agent before left off. `config`, which has passed alert_check(), is borrowed
 * until agent_alerts_tell() of another. */
int agent_alerts_create(struct agent_alerts **ret, const struct agent_alerts_sources *sources,
                        const struct config *config);
/* Writes the state, which may take as long as the disk does. NULL is fine. */
void agent_alerts_destroy(struct agent_alerts *a);
/* A reload, as struct config_part says. */
int agent_alerts_stage(struct agent_alerts *a, const struct config *config,
                       char error[RELOAD_ERROR_BYTES]);
void agent_alerts_unstage(struct agent_alerts *a);
void agent_alerts_commit(struct agent_alerts *a);
void agent_alerts_tell(struct agent_alerts *a);

/* Once a tick, after everything else. The log, when it is held, goes on once what was judged is on
 * the disk. */
void agent_alerts_tick(struct agent_alerts *a, const struct server *server);
/* The same before the end, which delivers nothing any more: that is for the agent after this one.
 */
void agent_alerts_judge(struct agent_alerts *a, const struct server *server);
/* The next tick tells of it. */
void agent_alerts_breaker(struct agent_alerts *a, const char *upstream,
                          const struct breaker_transition *t);

/* Somebody acknowledged or silenced: to be on the disk soon. */
void agent_alerts_changed(struct agent_alerts *a);

struct alert_manager *agent_alerts_manager(struct agent_alerts *a);
const struct notify *agent_alerts_notify(const struct agent_alerts *a);
const struct state_file *agent_alerts_state(const struct agent_alerts *a);

#endif
