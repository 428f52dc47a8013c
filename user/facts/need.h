/* Inside this layer only. */
#ifndef MOONWATCH_FACTS_NEED_H
#define MOONWATCH_FACTS_NEED_H

#include "config/config.h"
#include "model/metric.h"

/* What the configuration lacks or switches off for it, and the mend; NULL: nothing. */
const char *need_missing(const struct config *config, enum metric_need need);

#endif
