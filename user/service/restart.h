/* What services and upstreams remember over a restart: what is usual, and how their breakers stand.
 *
 * As text (JSON) for a file. Names tell whose it is, so that the order of a configuration does not
 * matter.
 */
#ifndef MOONWATCH_SERVICE_RESTART_H
#define MOONWATCH_SERVICE_RESTART_H

#include "service/service.h"

#define RESTART_BYTES_MAX (8u << 20)

/* From malloc; NULL when memory ran out. `now_ns` is CLOCK_MONOTONIC, `realtime_ns` for the age of
 * what was learnt. */
char *services_remember(const struct services *s, uint64_t now_ns, uint64_t realtime_ns);
/* Right after services_create(). Who is not configured any more is forgotten. -EINVAL with the
 * reason: damaged, nothing was taken. */
int services_recall(struct services *s, const char *text, size_t len, uint64_t now_ns,
                    uint64_t realtime_ns, char *error, size_t error_size);

#endif
