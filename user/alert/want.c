/* What has to be said about one alert, and whether its group lets it be said now. */
#include "alert/engine.h"

static bool escalation_due(const struct alert_manager *m, const struct alert *alert)
{
    return m->plan->escalation_delay_ns > 0 && alert->escalated_at != NEVER &&
           alert->step < m->plan->config->alert_manager.escalation_limit &&
           alert->severity >= m->plan->config->alert_manager.escalation_minimum_severity &&
           m->now - alert->escalated_at >= m->plan->escalation_delay_ns;
}

bool want_is_rise(const struct alert *alert)
{
    return alert->state == ALERT_FIRING && alert->told != TOLD_NOTHING &&
           alert->severity > alert->told_severity;
}

static enum want want_of_firing(const struct alert_manager *m, const struct alert *alert)
{
    const struct compiled_route *route = &m->plan->routes[alert->group->route];

    if (alert->told != TOLD_FIRING && alert->told != TOLD_HELD)
        return WANT_FIRING;
    if (want_is_rise(alert))
        return WANT_FIRING;
    if (m->now - alert->told_at >= route->repeat_interval_ns)
        return WANT_REPEAT;
    return alert->told == TOLD_FIRING && escalation_due(m, alert) ? WANT_ESCALATION : WANT_NOTHING;
}

/* What was held back last may have been told before. */
bool want_is_owed(const struct alert_manager *m, const struct alert *alert)
{
    return alert->told == TOLD_FIRING || alert->told == TOLD_FLAPPING ||
           (alert->told != TOLD_RESOLVED && alert->group &&
            (alert->told_channels & ~m->plan->routes[alert->group->route].log));
}

/* No notice of flapping is waited for by what must not wait. */
static bool breaks_flapping(const struct alert *alert)
{
    return want_is_rise(alert) ||
           (alert->state == ALERT_FIRING && alert->severity == SEVERITY_CRITICAL &&
            alert->told != TOLD_FIRING);
}

bool want_is_flapping(const struct alert *alert)
{
    return alert->flapping && !alert->flapping_told && !breaks_flapping(alert);
}

enum want want_of(const struct alert_manager *m, const struct alert *alert)
{
    if (alert->state == ALERT_PENDING || alert->suppressed != SUPPRESSED_NOT)
        return WANT_NOTHING;
    if (want_is_flapping(alert))
        return WANT_FLAPPING;
    if (alert->state == ALERT_FIRING)
        return want_of_firing(m, alert);
    return want_is_owed(m, alert) ? WANT_RESOLVED : WANT_NOTHING;
}

/* As in Alertmanager, but what is CRITICAL or got worse does not wait for the interval: five
 * minutes are too long for it to be let in on somebody else's account. */
bool want_is_ready(const struct alert_manager *m, const struct alert *alert, enum want want)
{
    const struct group *group = alert->group;
    const struct compiled_route *route = &m->plan->routes[group->route];
    bool interval_over =
        group->flushed_at == NEVER || m->now - group->flushed_at >= route->group_interval_ns;

    switch (want) {
    case WANT_FIRING:
        return m->now - alert->fired_at >= route->group_wait_ns &&
               (interval_over || alert->severity == SEVERITY_CRITICAL || want_is_rise(alert));
    case WANT_RESOLVED:
    case WANT_FLAPPING:
        return interval_over;
    case WANT_REPEAT:
    case WANT_ESCALATION:
        return true;
    default:
        return false;
    }
}
