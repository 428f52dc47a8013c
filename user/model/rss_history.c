#include "model/rss_history.h"
#include "base/clock.h"
#include <string.h>

#define SAMPLE_DISTANCE_MS 5000u
/* Snapshots are taken by a timer, which may fire a little early against the one before. */
#define SAMPLE_EARLY_MS 500u
#define DOUBLINGS_MAX 2
/* Below that a line says more about the moment than about the process. */
#define TREND_SPAN_MIN_MS 2000u

static uint32_t ms_of_ns(uint64_t ns)
{
    return (uint32_t)(ns / NS_PER_MS);
}

static uint32_t kib_of_bytes(uint64_t bytes)
{
    return bytes >> 10 > UINT32_MAX ? UINT32_MAX : (uint32_t)(bytes >> 10);
}

static void make_room(struct rss_history *h)
{
    if (h->doublings == DOUBLINGS_MAX) {
        memmove(h->samples, h->samples + 1, sizeof(h->samples[0]) * (RSS_SAMPLES - 1));
        h->count--;
        return;
    }
    for (unsigned i = 0; i < RSS_SAMPLES / 2; i++)
        h->samples[i] = h->samples[2 * i];
    h->count = RSS_SAMPLES / 2;
    h->doublings++;
}

void rss_history_add(struct rss_history *h, uint64_t now_ns, uint64_t rss_bytes)
{
    uint32_t now_ms = ms_of_ns(now_ns);
    uint32_t distance_ms = SAMPLE_DISTANCE_MS << h->doublings;

    if (h->count && now_ms - h->samples[h->count - 1].time_ms < distance_ms - SAMPLE_EARLY_MS)
        return;
    if (h->count == RSS_SAMPLES)
        make_room(h);
    h->samples[h->count++] =
        (struct rss_sample){.time_ms = now_ms, .rss_kib = kib_of_bytes(rss_bytes)};
}

struct reading rss_history_trend(const struct rss_history *h, uint64_t now_ns, uint64_t rss_bytes)
{
    uint32_t now_ms = ms_of_ns(now_ns);
    double n = 1, sum_t = 0, sum_r = kib_of_bytes(rss_bytes), sum_tt = 0, sum_tr = 0;

    if (!h->count || now_ms - h->samples[0].time_ms < TREND_SPAN_MIN_MS)
        return reading_missing("seen for too short a time");
    for (unsigned i = 0; i < h->count; i++) {
        /* Before now, so that the sums stay small and the present value is at the origin. */
        double t = -(double)(now_ms - h->samples[i].time_ms) / 1000;
        double r = h->samples[i].rss_kib;

        if (t == 0) /* the present value, sampled already */
            continue;
        n++;
        sum_t += t;
        sum_r += r;
        sum_tt += t * t;
        sum_tr += t * r;
    }
    return reading_of((n * sum_tr - sum_t * sum_r) / (n * sum_tt - sum_t * sum_t) * 1024);
}
