/* Inside this layer only. */
#ifndef MOONWATCH_HEALTH_ENDPOINTS_H
#define MOONWATCH_HEALTH_ENDPOINTS_H

#include "health/finding.h"

/* Active checks that keep failing. `checks` may be NULL. */
void endpoints_judge(const struct endpoint_checks *checks, struct findings *ret);

#endif
