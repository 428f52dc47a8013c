/* What services and upstreams remember over a restart: what is usual, and how their breakers stand.
 *
 * As a JSON document for a file. Names tell whose it is, so that the order of a configuration does
 * not matter.
 */
#ifndef MOONWATCH_SERVICE_SERVICES_RECALL_H
#define MOONWATCH_SERVICE_SERVICES_RECALL_H

#include "service/service.h"
#include <cjson/cJSON.h>

/* A new document; NULL when memory ran out. `now_ns` is CLOCK_MONOTONIC, `realtime_ns` for the age
 * of what was learnt. */
cJSON *services_remember(const struct services *s, uint64_t now_ns, uint64_t realtime_ns);
/* Right after services_create(). Who is not configured any more is forgotten. -EINVAL with the
 * reason: damaged, nothing was taken. */
int services_recall(struct services *s, const cJSON *json, uint64_t now_ns, uint64_t realtime_ns,
                    char *error, size_t error_size);

#endif
