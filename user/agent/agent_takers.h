/* Who takes which record from the ring buffer. */
#ifndef MOONWATCH_AGENT_AGENT_TAKERS_H
#define MOONWATCH_AGENT_AGENT_TAKERS_H

#include "base/log.h"
#include "collect/collectors.h"
#include "config/config.h"
#include "service/live.h"

/* All borrowed. */
struct agent_takers {
    struct log *log;
    const struct config *config;
    struct collectors *collectors;
    struct live *live;
};

/* True when the agent should judge at once; the log is then held until that is done and kept
 * (log_release()). */
bool agent_take_record(const struct agent_takers *to, const struct record_head *record,
                       size_t size);

#endif
