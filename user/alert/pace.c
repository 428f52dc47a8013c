#include "alert/pace.h"
#include "base/clock.h"

#define SECOND ((int64_t)NS_PER_SECOND)
/* Of max_alerts_per_hour so many at once, and as many more in this time. */
#define BURST_SHARE 0.4
#define REFILL_NS (600 * SECOND)
/* Longer than what is gathered waits, so that a storm that goes on stays gathered. */
#define QUIET_NS (300 * SECOND)
#define URGENT_INTERVAL_NS (60 * SECOND)
/* Out of reach of any interval. */
#define DOUBLINGS_MAX 20

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

static int64_t urgent_interval_ns(const struct pace *pace, int64_t group_interval_ns)
{
    unsigned doublings = pace->gathered > 2 ? pace->gathered - 2 : 0;
    int64_t interval_ns = URGENT_INTERVAL_NS
                          << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);

    return interval_ns < group_interval_ns ? interval_ns : group_interval_ns;
}

/* A storm is over, as a back-off of Kubernetes is, after twice the time that what follows waits. */
static int64_t quiet_ns(const struct pace *pace, int64_t group_interval_ns)
{
    int64_t twice_ns = 2 * urgent_interval_ns(pace, group_interval_ns);

    return twice_ns > QUIET_NS ? twice_ns : QUIET_NS;
}

static bool is_storm(const struct pace *pace, int64_t group_interval_ns, int64_t now)
{
    return pace->gathered > 0 && now - pace->gathered_at < quiet_ns(pace, group_interval_ns);
}

bool pace_has_told(const struct pace *pace, int64_t group_interval_ns, uint64_t rule, int64_t now)
{
    int64_t quiet =
        is_storm(pace, group_interval_ns, now) ? quiet_ns(pace, group_interval_ns) : QUIET_NS;

    for (unsigned i = 0; i < pace->rule_count; i++)
        if (pace->rules[i].rule == rule)
            return now - pace->rules[i].at < quiet;
    return false;
}

bool pace_is_open(const struct pace *pace, unsigned alerts_per_hour, int64_t group_interval_ns,
                  enum severity severity, uint64_t rule, int64_t now)
{
    double burst = burst_of(alerts_per_hour);

    if ((severity == SEVERITY_CRITICAL || is_storm(pace, group_interval_ns, now)) &&
        pace_has_told(pace, group_interval_ns, rule, now))
        return false;
    return taken_of(pace, burst, severity, now) + 1 <= burst;
}

void pace_tell(struct pace *pace, uint64_t rule, int64_t now)
{
    unsigned place = 0, oldest = 0;

    while (place < pace->rule_count && pace->rules[place].rule != rule)
        place++;
    if (place == PACE_RULES_MAX) {
        for (unsigned i = 1; i < PACE_RULES_MAX; i++)
            if (pace->rules[i].at < pace->rules[oldest].at)
                oldest = i;
        place = oldest;
    } else if (place == pace->rule_count) {
        pace->rule_count++;
    }
    pace->rules[place] = (struct pace_rule){rule, now};
}

void pace_take(struct pace *pace, unsigned alerts_per_hour, enum severity severity, int64_t now)
{
    pace->taken[severity] = taken_of(pace, burst_of(alerts_per_hour), severity, now) + 1;
    pace->taken_at[severity] = now;
}

void pace_gather(struct pace *pace, int64_t group_interval_ns, int64_t now)
{
    if (!is_storm(pace, group_interval_ns, now))
        pace->gathered = 0;
    pace->gathered += pace->gathered <= DOUBLINGS_MAX;
    pace->gathered_at = now;
}

int64_t pace_gathering_ns(enum severity severity)
{
    static const int64_t gathering_ns[SEVERITY_COUNT] = {
        [SEVERITY_INFO] = 30 * SECOND,
        [SEVERITY_WARNING] = 30 * SECOND,
        [SEVERITY_ERROR] = 10 * SECOND,
        [SEVERITY_CRITICAL] = 5 * SECOND,
    };

    return gathering_ns[severity];
}

int64_t pace_interval_ns(const struct pace *pace, int64_t group_interval_ns, enum severity severity,
                         int64_t now)
{
    static const struct pace calm;

    if (severity < SEVERITY_ERROR)
        return group_interval_ns;
    return urgent_interval_ns(is_storm(pace, group_interval_ns, now) ? pace : &calm,
                              group_interval_ns);
}
