#include "health/check.h"

double check_clear_level(const struct check_rule *rule, double level)
{
    return level * (1 - rule->margin);
}

static void latch_feed(struct check_latch *latch, const struct check_rule *rule, double level,
                       uint64_t raise_ns, double value, uint64_t now_ns)
{
    bool towards;
    uint64_t duration_ns = latch->raised ? rule->clear_ns : raise_ns;

    if (isnan(level)) {
        *latch = (struct check_latch){0};
        return;
    }
    towards = latch->raised ? value < check_clear_level(rule, level) : value >= level;
    if (!towards) {
        latch->counting = false;
        return;
    }
    if (!latch->counting) {
        latch->counting = true;
        latch->since_ns = now_ns;
    }
    if (now_ns - latch->since_ns >= duration_ns) {
        latch->raised = !latch->raised;
        latch->counting = false;
    }
}

/* Exponential average over uneven steps; a first value is its own average. */
static double averaged(const struct check *check, const struct check_rule *rule, double value,
                       uint64_t now_ns)
{
    if (rule->average_ns == 0 || !check->known_once)
        return value;
    return value + (check->value - value) *
                       exp(-(double)(now_ns - check->value_ns) / (double)rule->average_ns);
}

static enum status feed_missing(struct check *check, const struct check_rule *rule, uint64_t now_ns)
{
    if (!check->missing) {
        check->missing = true;
        check->missing_ns = now_ns;
    }
    if (!check->known_once)
        return STATUS_UNKNOWN;
    if (now_ns - check->missing_ns < rule->grace_ns)
        return check->status;
    /* What was counted before so long a gap says nothing about the time after it. */
    check->warning.counting = false;
    check->critical.counting = false;
    return STATUS_UNKNOWN;
}

static enum status feed_known(struct check *check, const struct check_rule *rule, double value,
                              uint64_t now_ns)
{
    check->missing = false;
    check->value = averaged(check, rule, value, now_ns);
    check->value_ns = now_ns;
    check->known_once = true;
    latch_feed(&check->warning, rule, rule->warning, rule->raise_ns, check->value, now_ns);
    latch_feed(&check->critical, rule, rule->critical, rule->critical_raise_ns, check->value,
               now_ns);
    if (check->critical.raised)
        return STATUS_UNHEALTHY;
    return check->warning.raised ? STATUS_DEGRADED : STATUS_HEALTHY;
}

enum status check_feed(struct check *check, const struct check_rule *rule, struct reading value,
                       uint64_t now_ns)
{
    enum status status = reading_known(value) ? feed_known(check, rule, value.value, now_ns)
                                              : feed_missing(check, rule, now_ns);

    if (!check->fed || status != check->status)
        check->since_ns = now_ns;
    check->fed = true;
    check->status = status;
    return status;
}
