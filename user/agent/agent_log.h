/* What the agent logs: health checks, events, its own start, reloads. */
#ifndef MOONWATCH_AGENT_AGENT_LOG_H
#define MOONWATCH_AGENT_AGENT_LOG_H

#include "base/log.h"
#include "config/config.h"
#include "endpoint/endpoint_checks.h"
#include "health/health.h"
#include "model/snapshot.h"
#include "probe/probe.h"
#include "service/service.h"

/* The address served, whether it is a dry run, and one line for each program that does not run.
 * `probe` may be NULL. */
void agent_log_start(struct log *log, const char *address, const struct config *config,
                     const struct probe *probe);

/* `why` is NULL when all of the part is seen again. */
void agent_log_unseen(struct log *log, const char *what, const char *why);

/* `what` is one line. */
void agent_log_pins(struct log *log, bool lost, const char *what);

/* "System health check completed", its level by the status. Not knowing is no trouble before the
 * agent has the samples to know by. */
void agent_log_health(struct log *log, const struct snapshot *snapshot, const struct health *health,
                      bool has_samples);

/* A crash or a failure, and an OOM kill. `cgroup` is where it happened; "": not known. */
void agent_log_exit(struct log *log, const struct record_exit *record, const char *cgroup);
void agent_log_oom(struct log *log, const struct record_oom *record, const char *cgroup);

void agent_log_breaker(struct log *log, const char *upstream, const struct breaker_transition *t);
/* `why` is NULL when it is enforced (again). */
void agent_log_enforcement(struct log *log, const char *upstream, enum enforcement enforcement,
                           const char *why);
void agent_log_fallback(struct log *log, const char *upstream, const struct fallback_switch *s);

/* A client that storms an upstream which fails, or has stopped doing so. */
void agent_log_retry_storm(struct log *log, const char *upstream,
                           const struct retry_client_view *client, bool begun);

/* A check that has begun to fail, or to succeed again. */
void agent_log_check(struct log *log, const struct endpoint_check_view *view);

void agent_log_config_warnings(struct log *log, const char *path,
                               const struct config_errors *errors);
void agent_log_config_errors(struct log *log, const char *path, const struct config_errors *errors);

/* Names the keys that changed but are read at start only. */
void agent_log_restart_keys(struct log *log, const struct config *before,
                            const struct config *after);

#endif
