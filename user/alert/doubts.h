/* What is surely not meant in an alert manager's configuration. Inside this layer only. */
#ifndef MOONWATCH_ALERT_DOUBTS_H
#define MOONWATCH_ALERT_DOUBTS_H

#include "alert/plan.h"

/* Adds warnings. */
void doubts_add(const struct plan *plan, const struct config *config, struct config_errors *errors);

#endif
