#include "agent/agent_urgency.h"
#include "base/clock.h"

/* Between ticks for events is at least this, and so many times what the last one took. */
#define EVENT_GAP_NS (10 * NS_PER_MS)
#define EVENT_GAP_TICKS 4

void agent_urgency_tick_soon(struct agent_urgency *urgency)
{
    urgency->pending = true;
    loop_set_alarm(urgency->alarm, urgency->next_ns);
}

void agent_urgency_pace(struct agent_urgency *urgency, uint64_t began_ns, uint64_t ended_ns)
{
    uint64_t gap_ns = EVENT_GAP_TICKS * (ended_ns - began_ns);

    urgency->next_ns = began_ns + (gap_ns > EVENT_GAP_NS ? gap_ns : EVENT_GAP_NS);
}
