/* What work of normal and higher priority takes of the CPUs and suffers there. Work of low (nice)
 * and idle priority takes what is left over: that it keeps CPUs busy harms nobody. */
#ifndef MOONWATCH_HEALTH_FOREGROUND_H
#define MOONWATCH_HEALTH_FOREGROUND_H

#include "model/snapshot.h"

/* p99 of the run-queue delay, in seconds, over two scheduling periods (see checks_scheduler.c) and
 * ten of them. */
#define FOREGROUND_WAIT_WARNING_SECONDS 0.050
#define FOREGROUND_WAIT_CRITICAL_SECONDS 0.250

/* A p99 of fewer waits is their maximum: one late wake-up of a kernel thread. */
#define FOREGROUND_WAITS_MIN 100

/* The share of all CPUs that low and idle work took in the last tick; single figures may be above
 * 100 (model/scheduler.h). Without the scheduler's probe an estimate from the mode `nice`; missing
 * without that too. */
struct reading foreground_background_percent(const struct snapshot *snapshot);

/* p99 of the last minute; 0 when too few waited to tell. Missing without the scheduler's probe. */
struct reading foreground_wait_seconds(const struct snapshot *snapshot);

/* Its tasks are kept waiting at the critical level; without the probe by what the kernel's pressure
 * and the number of runnable tasks tell. */
bool foreground_kept_waiting(const struct snapshot *snapshot);

#endif
