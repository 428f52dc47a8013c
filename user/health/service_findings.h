/* Inside this layer only. */
#ifndef MOONWATCH_HEALTH_SERVICE_FINDINGS_H
#define MOONWATCH_HEALTH_SERVICE_FINDINGS_H

#include "health/finding.h"

/* Open breakers and degraded performance. `services` may be NULL. */
void services_judge(const struct services *services, uint64_t now_ns, struct findings *ret);

#endif
