/* What the log was told of the host's state, and what it has to be told again. */
#ifndef MOONWATCH_AGENT_AGENT_SAID_H
#define MOONWATCH_AGENT_AGENT_SAID_H

#include "base/log.h"
#include "collect/collectors.h"
#include "config/config.h"
#include "health/health.h"

struct agent_said {
    uint64_t begun_ns; /* 0: not yet */
    enum status status;
    uint64_t next_check_ns;
    uint64_t unseen[VISIBILITY_PARTS]; /* a hash of the reason; 0: seen */
};

/* After each tick: a check of health when its status changed or it is time, and each part of the
 * host that is not seen any more, or again. */
void agent_say(struct agent_said *said, struct log *log, const struct config *config,
               const struct collectors *collectors, const struct health *health, uint64_t now_ns);

#endif
