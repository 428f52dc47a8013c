/* A recording as alert input: CSV, one row per moment, one column per series.
 *
 *   timestamp,moonwatch_cpu_usage_ratio,"moonwatch_filesystem_usage_ratio{mount=""/var""}",
 *   check:disk:/var,"event:crash{comm=""web""}"
 *
 * The first column is the time: epoch seconds, `YYYY-MM-DD HH:MM:SS` or ISO 8601, UTC when it says
 * nothing else; it must not go back. A metric's cell is a number, or empty when it is unknown. A
 * check's is healthy, degraded, unhealthy or unknown. An event's is how many there were.
 */
#ifndef MOONWATCH_ALERT_RECORDING_H
#define MOONWATCH_ALERT_RECORDING_H

#include "alert/input.h"
#include "alert/known.h"

#define RECORDING_COLUMNS_MAX 4096
#define RECORDING_ERROR_BYTES 200

struct recording;

/* A regular file, a pipe or "-", standard input. Who writes into a pipe may be silent for `wait_ms`
 * at a time. On errors `error` is one line that names the place. */
int recording_open(struct recording **ret, const char *path, unsigned wait_ms,
                   check_name_fn *check_name, char error[RECORDING_ERROR_BYTES]);
void recording_close(struct recording *recording); /* NULL is fine */

/* The next of the columns from `*cursor` on, which begins at 0, whose name is a slip: of a metric
 * of Moonwatch that there is not. NULL: there are no more. Borrowed. */
const char *recording_unknown_metric(const struct recording *recording, size_t *cursor);

/* The next row into `ret`, valid until the call after the next, its times both being the row's. 1,
 * 0 at the end, or a negative errno with `error`. */
int recording_next(struct recording *recording, struct alert_input *ret,
                   char error[RECORDING_ERROR_BYTES]);

#endif
