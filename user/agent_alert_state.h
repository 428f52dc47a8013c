/* Keeps the alert manager's state on the disk: when to write it, and what to say about it. */
#ifndef MOONWATCH_AGENT_ALERT_STATE_H
#define MOONWATCH_AGENT_ALERT_STATE_H

#include "alert/alert.h"
#include "base/host.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/state_file.h"

struct agent_alert_state;

/* All borrowed. */
struct agent_alert_state_sources {
    struct log *log;
    struct loop *loop;
    const struct clock *clock;
    const struct host *host;
    const char *directory;
    struct alert_manager *manager;
    /* Whether what the manager said until now is on the disk. A state that says so must not get
     * there before: killed in between, the agent would never say it. */
    bool (*settled)(void *ctx);
    void *ctx;
};

/* Imports what the agent before left; a damaged file is moved aside. */
int agent_alert_state_create(struct agent_alert_state **ret,
                             const struct agent_alert_state_sources *sources);
/* `save`: once more, however long the disk takes. NULL is fine. */
void agent_alert_state_destroy(struct agent_alert_state *s, bool save);

/* After the manager may have changed. */
void agent_alert_state_tick(struct agent_alert_state *s);

const struct state_file *agent_alert_state_file(const struct agent_alert_state *s);

#endif
