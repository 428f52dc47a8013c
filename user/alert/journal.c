/* Channels of type log hear of everything that is not suppressed at once: a log wakes nobody. */
#include "alert/engine.h"
#include <stdlib.h>

static bool is_new(const struct alert *alert, channel_set log)
{
    bool known = alert->told_channels & log;

    if (alert->suppressed != SUPPRESSED_NOT || want_is_flapping(alert))
        return false;
    if (alert->state == ALERT_FIRING)
        return !known || alert->severity > alert->logged_severity;
    return alert->state == ALERT_RESOLVED && known;
}

static void remember(struct alert_manager *m, struct alert *alert, channel_set log)
{
    m->revision++;
    alert->logged_severity = alert->severity;
    if (alert->state == ALERT_RESOLVED)
        alert->told_channels &= ~log;
}

void journal_group(struct alert_manager *m, struct group *group)
{
    channel_set log = m->plan->routes[group->route].log;
    struct delivery delivery = {.kind = NOTICE_FIRING, .group = group};
    size_t count = 0;

    for (const struct alert *alert = group->alerts; alert && log; alert = alert->next_in_group)
        count += is_new(alert, log);
    if (count == 0)
        return;
    delivery.alerts = calloc(2 * count, sizeof(struct alert *));
    if (!delivery.alerts)
        return;
    for (struct alert *alert = group->alerts; alert; alert = alert->next_in_group)
        if (is_new(alert, log))
            delivery.alerts[delivery.count++] = alert;
    deliver_sort(delivery.alerts, delivery.count);
    delivery.sequence = group->sequence++;
    deliver(m, &delivery, log);
    for (size_t i = 0; i < delivery.count; i++)
        remember(m, delivery.alerts[i], log);
    free(delivery.alerts);
}
