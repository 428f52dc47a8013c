#include "alert/doubts.h"
#include "base/log.h"
#include <stdio.h>

static void doubt_enabled(const struct config *config, struct config_errors *errors)
{
    bool given = config->alert_manager.channels.count > 0 ||
                 config->alert_manager.routes.count > 0 || config->alert_manager.rules.count > 0;

    if (given && !config->alert_manager.enabled)
        config_warning_add(errors, "/alert_manager/enabled",
                           "is false: nobody is told anything, alerts are in GET /alerts only "
                           "(allowed: true)");
}

/* Where lines are all that is told of alerts, those of the usual severity are needed. */
static void doubt_log_level(const struct plan *plan, const struct config *config,
                            struct config_errors *errors)
{
    if (config->server.log_level <= LOG_LEVEL_WARNING || !config->alert_manager.enabled)
        return;
    for (size_t c = 0; c < plan->channel_count; c++)
        if (!channel_kinds[plan->channels[c].type].local)
            return;
    config_warning_add(errors, "/server/log_level",
                       "hides alerts: the log is all that tells of them, in lines of their "
                       "severity (allowed: at most \"warning\")");
}

void doubts_add(const struct plan *plan, const struct config *config,
                const struct alert_known *known, struct config_errors *errors)
{
    struct doubts_state state = {0};
    const struct doubts d = {plan, config, known, errors, &state};
    char pointer[DOUBT_POINTER_BYTES];

    doubt_enabled(config, errors);
    doubt_log_level(plan, config, errors);
    doubt_rules(&d);
    doubt_routes(&d);
    doubt_slight_rules(&d);
    doubt_channels(&d);
    for (size_t i = 0; i < plan->inhibit_count; i++) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/inhibit/%zu", i);
        doubt_matchers(&d, plan->inhibits[i].source, NULL, pointer);
        doubt_matchers(&d, plan->inhibits[i].target, NULL, pointer);
        doubt_equal(&d, &plan->inhibits[i].config->equal, pointer);
    }
    doubt_mutes(&d);
}
