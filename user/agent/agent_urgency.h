/* Ticks at once, after what cannot wait for the timer. */
#ifndef MOONWATCH_AGENT_AGENT_URGENCY_H
#define MOONWATCH_AGENT_AGENT_URGENCY_H

#include "base/loop.h"
#include <stdbool.h>
#include <stdint.h>

/* All zero to begin with. */
struct agent_urgency {
    struct loop_source *alarm; /* ticks when something is pending */
    uint64_t next_ns;          /* no such tick before */
    bool pending;              /* something happened that no tick has looked at */
};

/* Something is pending that the loop does not come to by itself. */
void agent_urgency_tick_soon(struct agent_urgency *urgency);
/* After a tick, that storms of events make no storm of ticks. */
void agent_urgency_pace(struct agent_urgency *urgency, uint64_t began_ns, uint64_t ended_ns);

#endif
