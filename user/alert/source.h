/* The agent's own input to the alert rules: health checks, events of the last tick, the probes'
 * state, and the few metrics that need no page. */
#ifndef MOONWATCH_ALERT_SOURCE_H
#define MOONWATCH_ALERT_SOURCE_H

#include "alert/input.h"
#include "base/loop.h"
#include "health/health.h"
#include "model/snapshot.h"
#include "probe/probe.h"

struct alert_source;

struct alert_facts {
    const struct snapshot *snapshot;
    const struct health *health;
    const struct probe *probe;    /* NULL: none */
    const struct loop_view *loop; /* NULL: not known */
};

int alert_source_create(struct alert_source **ret);
void alert_source_destroy(struct alert_source *source); /* NULL is fine */

/* `ret` is valid until the next call and as long as the facts are. Events that were in the snapshot
 * of the call before are not in it again. -ENOMEM. */
int alert_source_fill(struct alert_source *source, const struct alert_facts *facts,
                      struct alert_input *ret);

#endif
