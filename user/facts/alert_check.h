/* Checking an alert manager's configuration by what this agent can know on this host. */
#ifndef MOONWATCH_FACTS_ALERT_CHECK_H
#define MOONWATCH_FACTS_ALERT_CHECK_H

#include "config/config.h"

/* As alert_check(), which says what for. */
int facts_alert_check(const struct config *config, struct config_errors *errors);

#endif
