/* What the agent can have alerts of, as the rooms above know it: by it doubts tell what no alert
 * will ever have. */
#ifndef MOONWATCH_ALERT_KNOWN_H
#define MOONWATCH_ALERT_KNOWN_H

#include "config/config.h"
#include "model/metric.h"
#include <stddef.h>

/* The names of the health checks, by an index from 0; NULL behind the last. */
typedef const char *check_name_fn(size_t index);

struct alert_known {
    check_name_fn *check_name;
    /* What the configuration lacks or switches off for it, and the mend; NULL: nothing. */
    const char *(*need_missing)(const struct config *config, enum metric_need need);
    /* Why nothing on this host ever has this value of a label; NULL: it may be. */
    const char *(*value_hidden)(void *ctx, const char *label, const char *value);
    void *ctx;
};

#endif
