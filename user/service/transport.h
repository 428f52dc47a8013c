/* What TCP did below the calls of a service or upstream, over a sliding window: how much it had to
 * send again, how far away the peers are, how many bytes a second went by.
 *
 * The window moves on in TRANSPORT_SLICES steps. Zeroed: empty, and made ready by the first feed.
 */
#ifndef MOONWATCH_SERVICE_TRANSPORT_H
#define MOONWATCH_SERVICE_TRANSPORT_H

#include "abi/call.h"
#include "model/reading.h"
#include <stdbool.h>
#include <stdint.h>

#define TRANSPORT_SLICES 10

/* Monotonic totals, or the difference of two. */
struct transport_counts {
    uint64_t sent_bytes, received_bytes;
    uint64_t segments_sent, retransmits;
    uint64_t round_trip_ns_sum, round_trip_count;
};

struct transport {
    bool fed;
    uint64_t slice_ns, fed_ns;
    struct transport_counts last;
    /* Totals at the beginning of each slice; `newest` is the present one's. */
    unsigned newest, count;
    uint64_t began_ns[TRANSPORT_SLICES + 1];
    struct transport_counts began[TRANSPORT_SLICES + 1];
};

/* Takes the totals at `now_ns` (CLOCK_MONOTONIC). A total that went back (fresh maps), and another
 * `window_seconds` (> 0), begin an empty window. */
void transport_feed(struct transport *t, double window_seconds, uint64_t now_ns,
                    const struct call_stats *total);

struct transport_view {
    double window_seconds; /* covered; less than configured at first */
    struct reading sent_bytes_per_second, received_bytes_per_second;
    struct reading retransmit_percent; /* segments sent again, of all with payload; 0..100 */
    struct reading round_trip_seconds; /* mean of smoothed round-trip times */
};

void transport_view(const struct transport *t, struct transport_view *ret);

#endif
