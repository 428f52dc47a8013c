/* health_tick() with the kernel side's state as plain data. */
#ifndef MOONWATCH_HEALTH_JUDGE_H
#define MOONWATCH_HEALTH_JUDGE_H

#include "health/probe_facts.h"

void health_judge(struct health *health, const struct snapshot *snapshot,
                  const struct probe_facts *facts);

#endif
