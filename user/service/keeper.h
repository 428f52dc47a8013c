/* Keeps what services remember (service/restart.h) in a file: read at the start, written every
 * minute, when a breaker has moved, and at the end. A damaged file is moved aside, one that
 * cannot be read is kept as services.json.unread; one that cannot be written is tried again.
 */
#ifndef MOONWATCH_SERVICE_KEEPER_H
#define MOONWATCH_SERVICE_KEEPER_H

#include "base/clock.h"
#include "service/service.h"

struct keeper;

typedef void keeper_problem_fn(void *ctx, const char *what);

/* In `directory`, which is made when it is first written. `services` and `clock` are borrowed.
 * Takes over what is there: right after services_create(). What goes wrong is said, once. */
int keeper_create(struct keeper **ret, const char *directory, struct services *services,
                  const struct clock *clock, keeper_problem_fn *problem, void *ctx);
/* Writes a last time. */
void keeper_destroy(struct keeper *keeper);
/* Something has changed that must not wait for the minute. */
void keeper_touch(struct keeper *keeper);
void keeper_tick(struct keeper *keeper, uint64_t now_ns);

#endif
