#include "base/clock.h"
#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

static uint64_t system_monotonic_ns(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t system_realtime_ns(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
    static const struct clock system = {system_monotonic_ns, system_realtime_ns, NULL};

    return &system;
}

void clock_format_rfc3339(uint64_t realtime_ns, char out[CLOCK_RFC3339_BYTES])
{
    time_t seconds = (time_t)(realtime_ns / NS_PER_SECOND);
    unsigned micros = (unsigned)(realtime_ns % NS_PER_SECOND / NS_PER_US);
    struct tm tm;
    size_t n;

    gmtime_r(&seconds, &tm);
    n = strftime(out, CLOCK_RFC3339_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_RFC3339_BYTES - n, ".%06u+00:00", micros % 1000000u);
}
