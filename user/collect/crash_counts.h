/* How often each service crashed in the last five minutes, whatever others do meanwhile: a service
 * is a cgroup by its whole path and the program's name. systemd makes a new cgroup for each start
 * of a unit, so the id tells nothing.
 */
#ifndef MOONWATCH_COLLECT_CRASH_COUNTS_H
#define MOONWATCH_COLLECT_CRASH_COUNTS_H

#include "model/event.h"

struct crash_counts;

int crash_counts_create(struct crash_counts **ret);     /* -ENOMEM */
void crash_counts_destroy(struct crash_counts *counts); /* NULL is fine */

/* `identity` tells services apart. Sets `crash->repeats`. */
void crash_counts_add(struct crash_counts *counts, uint64_t identity, struct crash *crash);
/* Those with crash_loop_min() crashes or more, the latest first; valid until the next call. */
size_t crash_counts_loops(struct crash_counts *counts, uint64_t now_ns,
                          const struct crash_loop **ret);

#endif
