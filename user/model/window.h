/* The last minute of a monotonic histogram: its total less what it was a minute ago. */
#ifndef MOONWATCH_MODEL_WINDOW_H
#define MOONWATCH_MODEL_WINDOW_H

#include "abi/slots.h"
#include <stdint.h>

#define WINDOW_MARKS 6
#define WINDOW_MARK_EVERY_NS 10000000000ULL

/* Zeroed: counting began now, from 0. */
struct latency_window {
    uint64_t next_ns;
    unsigned oldest;
    unsigned count;
    struct latency marks[WINDOW_MARKS]; /* totals, one every ten seconds */
};

/* `*ret_recent` = what was counted in the last 50 to 60 seconds. Call it at every sample. */
void latency_window_update(struct latency_window *w, uint64_t now_ns, const struct latency *total,
                           struct latency *ret_recent);

#endif
