/* What services remember (service/services_recall.h) for store/keeper.h, which keeps it in a file:
 * written every minute, when a breaker has moved, and at the end. */
#ifndef MOONWATCH_SERVICE_SERVICES_KEEPER_H
#define MOONWATCH_SERVICE_SERVICES_KEEPER_H

#include "base/loop.h"
#include "service/service.h"

struct services_keeper;

/* All borrowed. */
struct services_keeper_sources {
    struct loop *loop;
    const struct clock *clock;
    const char *directory; /* made when it is first written */
    struct services *services;
    void (*problem)(void *ctx, const char *what); /* what goes wrong, once */
    void *ctx;
};

/* Takes over what is there: right after services_create(). */
int services_keeper_create(struct services_keeper **ret,
                           const struct services_keeper_sources *sources);
/* Writes a last time. NULL is fine. */
void services_keeper_destroy(struct services_keeper *s);
/* Something has changed that must not wait for the minute. */
void services_keeper_touch(struct services_keeper *s);
void services_keeper_tick(struct services_keeper *s);

#endif
