#include "model/window.h"
#include "model/histogram.h"

void latency_window_update(struct latency_window *w, uint64_t now_ns, const struct latency *total,
                           struct latency *ret_recent)
{
    static const struct latency none;

    /* Until the first minute is over the beginning is the oldest mark. */
    latency_delta(ret_recent, total, w->count == WINDOW_MARKS ? &w->marks[w->oldest] : &none);
    if (now_ns < w->next_ns)
        return;
    w->next_ns = now_ns + WINDOW_MARK_EVERY_NS;
    if (w->count < WINDOW_MARKS) {
        w->marks[w->count++] = *total;
        return;
    }
    w->marks[w->oldest] = *total;
    w->oldest = (w->oldest + 1) % WINDOW_MARKS;
}
