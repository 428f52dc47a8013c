#include "config/choices.h"
#include "base/names.h"
#include "config/config.h"

const char *const severity_names[] = {"info", "warning", "error", "critical", NULL};
NAMES_OF(severity_names, SEVERITY_COUNT);

const char *const rule_kind_names[] = {"threshold", "status",   "event",  "degradation",
                                       "anomaly",   "forecast", "absent", NULL};
NAMES_OF(rule_kind_names, RULE_KIND_COUNT);

const char *const rule_event_names[] = {
    "crash",        "oom",        "breaker",        "stall", "probe_shed",
    "records_lost", "crash_loop", "service_failed", NULL};
NAMES_OF(rule_event_names, RULE_EVENT_COUNT);

#define NAME(id, word, ...) #word,
const char *const channel_type_names[] = {CHANNEL_ROWS(NAME) NULL};
#undef NAME
NAMES_OF(channel_type_names, CHANNEL_TYPE_COUNT);

const char *const smtp_tls_names[] = {"starttls", "implicit", "none", NULL};
NAMES_OF(smtp_tls_names, SMTP_TLS_COUNT);

const char *const service_kind_names[] = {"http", "database", "cache", "worker", "job", NULL};
NAMES_OF(service_kind_names, SERVICE_KIND_COUNT);

const char *const service_priority_names[] = {"high", "normal", "low", NULL};
NAMES_OF(service_priority_names, SERVICE_PRIORITY_COUNT);

const char *const check_type_names[] = {"http", "tcp", "postgres", "redis", NULL};
NAMES_OF(check_type_names, CHECK_TYPE_COUNT);

const char *const healing_mode_names[] = {"off", "advise", "dry_run", "act", NULL};
NAMES_OF(healing_mode_names, HEALING_MODE_COUNT);

const char *const healing_action_names[] = {"restart", "reclaim", "retune", NULL};
NAMES_OF(healing_action_names, HEALING_ACTION_COUNT);

const char *const upstream_kind_names[] = {"http", "database", "cache", "tcp", NULL};
NAMES_OF(upstream_kind_names, UPSTREAM_KIND_COUNT);

const char *const breaker_mode_names[] = {"observe", "enforce", "forced_open", "disabled", NULL};
NAMES_OF(breaker_mode_names, BREAKER_MODE_COUNT);

const char *const breaker_window_names[] = {"calls", "seconds", NULL};
NAMES_OF(breaker_window_names, BREAKER_WINDOW_COUNT);

const char *const breaker_on_open_names[] = {"leave", "close", NULL};
NAMES_OF(breaker_on_open_names, BREAKER_ON_OPEN_COUNT);

const char *const fallback_strategy_names[] = {"alternative", "cached", "reduced", NULL};
NAMES_OF(fallback_strategy_names, FALLBACK_STRATEGY_COUNT);

const char *const retry_jitter_names[] = {"full", "equal", "none", NULL};
NAMES_OF(retry_jitter_names, RETRY_JITTER_COUNT);
