/* What the agent knows now: one bundle for everything that tells it further, alerts, /metrics and
 * the bodies of the routes.
 *
 * The owners are borrowed for the agent's life; one that is NULL is not there, and what it knows is
 * left out. The configuration is not in here, because a reload replaces it.
 */
#ifndef MOONWATCH_FACTS_FACTS_H
#define MOONWATCH_FACTS_FACTS_H

#include "alert/alert.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/log.h"
#include "base/loop.h"
#include "collect/collectors.h"
#include "endpoint/endpoint_checks.h"
#include "facts/server_view.h"
#include "health/health.h"
#include "notify/notify.h"
#include "probe/probe.h"
#include "service/service.h"
#include "store/state_file.h"

struct performance_row;
struct breaker_entry;
struct endpoint_row;

struct facts {
    const struct clock *clock;
    const struct host *host;
    struct log *log;
    const struct loop_view *loop;
    const struct collectors *collectors;
    const struct snapshot *snapshot;          /* the collectors'; never NULL */
    const struct visibility_part *visibility; /* VISIBILITY_PARTS of them */
    const struct health *health;
    const struct probe *probe;
    const char *probe_missing;    /* why, when it is NULL */
    struct services *services;    /* /admin changes them */
    const char *services_missing; /* why, when they are NULL */
    const struct endpoint_checks *checks;
    struct alert_manager *alerts; /* /admin changes them */
    const struct state_file *alert_state;
    const struct notify *notify;
    const struct server_view *server;                   /* the server's own, while there is one */
    uint64_t started_monotonic_ns, started_realtime_ns; /* of the agent; 0: not told */

    /* As facts_take() found them, and when; they point into the configuration and their owners. */
    uint64_t taken_monotonic_ns, taken_realtime_ns;
    struct performance_row *performance;
    size_t performance_count, performance_capacity;
    struct breaker_entry *breakers;
    size_t breaker_count, breaker_capacity;
    struct endpoint_row *endpoints;
    size_t endpoint_count, endpoint_capacity;
};

/* Takes the views of services, breakers and checks: once a tick, and when somebody has changed one
 * of them or what is configured. Without memory for a list it is empty until the next time. */
void facts_take(struct facts *facts);
void facts_release(struct facts *facts);

/* When, for people, something was that has this monotonic time, by the clocks of facts_take(): one
 * look at them dates all the rows; 0 stays 0. */
uint64_t facts_realtime_ns(const struct facts *facts, uint64_t monotonic_ns);

#endif
