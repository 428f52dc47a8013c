#include "alert/pace.h"
#include "base/clock.h"

#define SECOND ((int64_t)NS_PER_SECOND)
/* Of max_alerts_per_hour so many at once, and as many more in this time. */
#define BURST_SHARE 0.4
#define REFILL_NS (300 * SECOND)
/* Longer than what is gathered waits, so that a storm that goes on stays gathered. */
#define CRITICAL_QUIET_NS (120 * SECOND)
#define URGENT_INTERVAL_NS (60 * SECOND)

static double burst_of(unsigned alerts_per_hour)
{
    double burst = BURST_SHARE * alerts_per_hour;

    return burst < 1 ? 1 : burst;
}

static double taken_of(const struct pace *pace, double burst, enum severity severity, int64_t now)
{
    double back = burst * (double)(now - pace->taken_at[severity]) / REFILL_NS;

    return pace->taken[severity] > back ? pace->taken[severity] - back : 0;
}

static unsigned rules_of(const struct pace *pace)
{
    return pace->critical_count < PACE_RULES_MAX ? pace->critical_count : PACE_RULES_MAX;
}

bool pace_is_open(const struct pace *pace, unsigned alerts_per_hour, enum severity severity,
                  uint64_t rule, int64_t now)
{
    double burst = burst_of(alerts_per_hour);

    if (severity != SEVERITY_CRITICAL)
        return taken_of(pace, burst, severity, now) + 1 <= burst;
    for (unsigned i = 0; i < rules_of(pace); i++)
        if (pace->criticals[i].rule == rule && now - pace->criticals[i].at < CRITICAL_QUIET_NS)
            return false;
    return true;
}

void pace_take(struct pace *pace, unsigned alerts_per_hour, enum severity severity, uint64_t rule,
               int64_t now)
{
    unsigned place = 0;

    if (severity != SEVERITY_CRITICAL) {
        pace->taken[severity] = taken_of(pace, burst_of(alerts_per_hour), severity, now) + 1;
        pace->taken_at[severity] = now;
        return;
    }
    while (place < rules_of(pace) && pace->criticals[place].rule != rule)
        place++;
    if (place == rules_of(pace))
        place = pace->critical_count++ % PACE_RULES_MAX;
    pace->criticals[place].rule = rule;
    pace->criticals[place].at = now;
}

struct pace_wait pace_wait_of(enum severity severity, int64_t group_interval_ns)
{
    static const int64_t gather_ns[SEVERITY_COUNT] = {
        [SEVERITY_INFO] = 30 * SECOND,
        [SEVERITY_WARNING] = 30 * SECOND,
        [SEVERITY_ERROR] = 10 * SECOND,
        [SEVERITY_CRITICAL] = 5 * SECOND,
    };
    struct pace_wait wait = {gather_ns[severity], group_interval_ns};

    if (severity >= SEVERITY_ERROR && wait.interval_ns > URGENT_INTERVAL_NS)
        wait.interval_ns = URGENT_INTERVAL_NS;
    return wait;
}
