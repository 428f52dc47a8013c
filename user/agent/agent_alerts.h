/* The alert layer at work in the agent: its source, its manager, its state on disk, delivery. */
#ifndef MOONWATCH_AGENT_AGENT_ALERTS_H
#define MOONWATCH_AGENT_AGENT_ALERTS_H

#include "breaker/breaker.h"
#include "config/reload.h"
#include "facts/facts.h"

struct agent_alerts;

/* Goes on where the agent before left off. `config`, which has passed alert_check(), is borrowed
 * until agent_alerts_tell() of another; the rest for the life of it. It adds itself to the facts.
 */
int agent_alerts_create(struct agent_alerts **ret, struct facts *facts, struct loop *loop,
                        const char *state_directory, const struct config *config);
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
void agent_alerts_tick(struct agent_alerts *a);
/* The same before the end, which delivers nothing any more: that is for the agent after this one.
 */
void agent_alerts_judge(struct agent_alerts *a);
/* The next tick tells of it. */
void agent_alerts_breaker(struct agent_alerts *a, const char *upstream,
                          const struct breaker_transition *t);

/* Somebody acknowledged or silenced: to be on the disk soon. */
void agent_alerts_changed(struct agent_alerts *a);

#endif
