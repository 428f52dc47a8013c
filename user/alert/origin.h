/* What an alert is about: the thing that broke, and who is behind the noise. */
#ifndef MOONWATCH_ALERT_ORIGIN_H
#define MOONWATCH_ALERT_ORIGIN_H

#include "alert/labels.h"

/* The labels that name the thing that broke (unit, service, device, check ...), without those that
 * tell what happened to it; the alert's name when there are no others. -E2BIG, -ENOMEM. */
int origin_thing(const struct labels *alert, struct labels **ret);

/* The same for everything that one service, one user's session or one check makes. */
uint64_t origin_source(const struct labels *alert);

#endif
