/* The agent's own input to the alert rules: health checks, events of the last tick, the probes'
 * state, what performs worse than usual, and the metrics that the built-in rules want; all others
 * are handed in. */
#ifndef MOONWATCH_FACTS_ALERT_SOURCE_H
#define MOONWATCH_FACTS_ALERT_SOURCE_H

#include "alert/input.h"
#include "facts/facts.h"

struct alert_source;

int alert_source_create(struct alert_source **ret);
void alert_source_destroy(struct alert_source *source); /* NULL is fine */

/* Whether alert_source_fill() gives samples of the metric by itself. */
bool alert_source_has(const char *metric);

/* How many transitions wait for a tick at most; more are left out, the latest first. */
#define SOURCE_TRANSITIONS_MAX 256

/* A transition of an upstream's breaker, for the next alert_source_fill(). Copied. */
void alert_source_note_breaker(struct alert_source *source, const char *upstream,
                               const struct breaker_transition *t);

/* `samples` are of metrics that alert_source_has() does not know. `ret` is valid until the next
 * call and as long as the facts and the samples are. Events that were in the snapshot
 * of the call before are not in it again. -ENOMEM. */
int alert_source_fill(struct alert_source *source, const struct facts *facts,
                      const struct sample *samples, size_t sample_count, struct alert_input *ret);

#endif
