/* What the kernel counted of calls, read into the services: once a tick, at once when a call
 * failed, and by a scan at the very moment a call in flight becomes slow or times out.
 */
#ifndef MOONWATCH_SERVICE_FOLLOW_H
#define MOONWATCH_SERVICE_FOLLOW_H

#include "abi/call.h"
#include "base/loop.h"
#include "probe/probe.h"
#include "service/attribution.h"
#include "service/service.h"

struct follow;

/* All borrowed. */
struct follow_sources {
    struct loop *loop;
    const struct clock *clock;
    struct probe *probe;
    struct services *services;
    const struct attribution *attribution;
};

int follow_create(struct follow **ret, const struct follow_sources *sources);
void follow_destroy(struct follow *f);

/* A reload, as struct config_part says; committed after the services and the attribution. */
int follow_stage(struct follow *f, const struct config *config);
void follow_unstage(struct follow *f);
void follow_commit(struct follow *f);
/* Tells the kernel when calls are slow or time out. 0 or a negative errno. */
int follow_tell(const struct follow *f);
void follow_tick(struct follow *f, uint64_t now_ns);
/* Records of an upstream's breaker and call; false when the upstream is gone. */
bool follow_breaker(struct follow *f, const struct record_breaker *record, uint64_t now_ns);
bool follow_call_failed(struct follow *f, const struct record_call_failed *record, uint64_t now_ns);

#endif
