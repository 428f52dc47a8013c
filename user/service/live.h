/* The services and upstreams at work: counted by the kernel side, asked by checks, their breakers
 * in force.
 */
#ifndef MOONWATCH_SERVICE_LIVE_H
#define MOONWATCH_SERVICE_LIVE_H

#include "base/host.h"
#include "base/loop.h"
#include "config/config.h"
#include "endpoint/endpoint_checks.h"
#include "model/task_table.h"
#include "probe/probe.h"
#include "service/service.h"

struct live;

/* All borrowed. */
struct live_sources {
    struct loop *loop;
    const struct clock *clock;
    const struct host *host;
    struct probe *probe; /* NULL: no BPF, for the reason in `probe_missing` */
    const char *probe_missing;
    const char *state_directory; /* what outlives a restart; NULL: nothing does */
};

/* Each may be NULL. */
struct live_ops {
    void (*breaker_moved)(void *ctx, const char *upstream, const struct breaker_transition *t);
    void (*enforcement_changed)(void *ctx, const char *upstream, enum enforcement enforcement,
                                const char *why);
    void (*fallback_switched)(void *ctx, const char *upstream, const struct fallback_switch *s);
    void (*retry_storm)(void *ctx, const char *upstream, const struct retry_client_view *client,
                        bool begun);
    void (*check_changed)(void *ctx, const struct endpoint_check_view *view);
    void (*problem)(void *ctx, const char *what);       /* what is not in force, one line */
    void (*state_problem)(void *ctx, const char *what); /* what was kept and cannot be used */
    void *ctx;
};

/* `config` is borrowed until live_commit(). */
int live_create(struct live **ret, const struct live_sources *sources, const struct live_ops *ops,
                const struct config *config);
void live_destroy(struct live *live);
/* A reload, as struct config_part says. */
int live_stage(struct live *live, const struct config *config);
void live_unstage(struct live *live);
void live_commit(struct live *live);
void live_tell(struct live *live);

/* Once a tick. `tasks` may be NULL. What is to outlive a restart is written every minute, and when
 * a breaker has moved. */
void live_tick(struct live *live, const struct task_table *tasks, uint64_t now_ns);
/* Records from the ring buffer: breakers move at once. */
void live_breaker_record(struct live *live, const struct record_breaker *record);
void live_call_failed(struct live *live, const struct record_call_failed *record);

struct services *live_services(struct live *live);
const struct endpoint_checks *live_checks(const struct live *live);

#endif
