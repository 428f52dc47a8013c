/* What the host's readings were when they were last known: a collector that fails shows that,
 * marked with its age, beside the reason why it is not known now.
 *
 * Every single reading that a table of the snapshot has; of what there are many of (filesystems,
 * devices, cores) the rows come and go.
 */
#ifndef MOONWATCH_FACTS_LAST_KNOWN_H
#define MOONWATCH_FACTS_LAST_KNOWN_H

#include "model/snapshot.h"

/* Older than this it tells nothing any more. */
#define LAST_KNOWN_MAX_NS (3600 * 1000000000ULL)

struct last_known;

int last_known_create(struct last_known **ret);
void last_known_destroy(struct last_known *l); /* the snapshot's `last` pointers end with it */
/* After all collectors have sampled: remembers what is known and tells the rest. `now_ns` is
 * CLOCK_MONOTONIC. */
void last_known_update(struct last_known *l, struct snapshot *snapshot, uint64_t now_ns);

#endif
