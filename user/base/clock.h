/* Time, injected so that tests own it. Nanoseconds. */
#ifndef MOONWATCH_BASE_CLOCK_H
#define MOONWATCH_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_SECOND 1000000000ULL

struct clock {
    uint64_t (*monotonic_ns)(void *ctx); /* CLOCK_MONOTONIC: the time base of BPF records */
    uint64_t (*realtime_ns)(void *ctx);  /* CLOCK_REALTIME, for people */
    void *ctx;
};

/* The host's clocks. */
const struct clock *clock_system(void);

static inline uint64_t clock_monotonic_ns(const struct clock *c)
{
    return c->monotonic_ns(c->ctx);
}

static inline uint64_t clock_realtime_ns(const struct clock *c)
{
    return c->realtime_ns(c->ctx);
}

/* What the configuration says in seconds; none is negative. */
static inline uint64_t clock_ns_of_seconds(double seconds)
{
    return (uint64_t)(seconds * (double)NS_PER_SECOND);
}

#define CLOCK_RFC3339_BYTES 36

/* RFC 3339 in UTC with microseconds, e.g. 2025-09-23T16:30:28.641517+00:00. */
void clock_format_rfc3339(uint64_t realtime_ns, char out[CLOCK_RFC3339_BYTES]);

/* "2025-09-23T16:30:28.641517+00:00", "2025-09-23 16:30:28" (UTC), "1758645028.64": nanoseconds
 * since 1970. False when it is none of them. */
bool clock_parse_time(const char *text, uint64_t *ret_ns);

#endif
