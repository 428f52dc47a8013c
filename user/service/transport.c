#include "service/transport.h"
#include "base/clock.h"

#define MARKS (TRANSPORT_SLICES + 1)

static void take(struct transport_counts *ret, const struct call_stats *s)
{
    *ret = (struct transport_counts){
        .sent_bytes = s->bytes_sent,
        .received_bytes = s->bytes_received,
        .segments_sent = s->segments_sent,
        .retransmits = s->retransmits,
        .round_trip_ns_sum = s->srtt_ns_sum,
        .round_trip_count = s->srtt_count,
    };
}

static bool went_back(const struct transport_counts *now, const struct transport_counts *before)
{
    return now->sent_bytes < before->sent_bytes || now->received_bytes < before->received_bytes ||
           now->segments_sent < before->segments_sent || now->retransmits < before->retransmits ||
           now->round_trip_count < before->round_trip_count;
}

static void begin_slice(struct transport *t, uint64_t now_ns)
{
    t->newest = (t->newest + 1) % MARKS;
    t->began[t->newest] = t->last;
    t->began_ns[t->newest] = now_ns;
    if (t->count < MARKS)
        t->count++;
}

void transport_feed(struct transport *t, double window_seconds, uint64_t now_ns,
                    const struct call_stats *total)
{
    uint64_t slice_ns = clock_ns_of_seconds(window_seconds / TRANSPORT_SLICES);
    struct transport_counts now;

    take(&now, total);
    if (!t->fed || slice_ns != t->slice_ns || went_back(&now, &t->last))
        t->count = 0;
    t->fed = true;
    t->slice_ns = slice_ns;
    t->last = now;
    t->fed_ns = now_ns;
    if (t->count == 0 || now_ns - t->began_ns[t->newest] >= slice_ns)
        begin_slice(t, now_ns);
}

void transport_view(const struct transport *t, struct transport_view *ret)
{
    static const char not_yet[] = "nothing was measured yet";
    unsigned oldest = (t->newest + MARKS - (t->count ? t->count - 1 : 0)) % MARKS;
    const struct transport_counts *from = &t->began[oldest];
    double seconds = t->count ? (double)(t->fed_ns - t->began_ns[oldest]) / NS_PER_SECOND : 0;
    uint64_t segments = t->last.segments_sent - from->segments_sent,
             round_trips = t->last.round_trip_count - from->round_trip_count;

    *ret = (struct transport_view){
        .window_seconds = seconds,
        .sent_bytes_per_second = reading_missing(not_yet),
        .received_bytes_per_second = reading_missing(not_yet),
        .retransmit_percent = reading_missing("nothing was sent in the window"),
        .round_trip_seconds = reading_missing("no connection was open in the window"),
    };
    if (seconds <= 0)
        return;
    ret->sent_bytes_per_second =
        reading_of((double)(t->last.sent_bytes - from->sent_bytes) / seconds);
    ret->received_bytes_per_second =
        reading_of((double)(t->last.received_bytes - from->received_bytes) / seconds);
    if (segments) {
        double share = 100.0 * (double)(t->last.retransmits - from->retransmits) / (double)segments;

        /* A SYN that is sent again carries no payload. */
        ret->retransmit_percent = reading_of(share < 100 ? share : 100);
    }
    if (round_trips)
        ret->round_trip_seconds =
            reading_of((double)(t->last.round_trip_ns_sum - from->round_trip_ns_sum) /
                       (double)round_trips / NS_PER_SECOND);
}
