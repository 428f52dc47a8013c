/* What runs here (services) and what local processes call (upstreams). */
#ifndef MOONWATCH_CONFIG_SERVICES_H
#define MOONWATCH_CONFIG_SERVICES_H

#include "config/values.h"
#include <stdbool.h>

enum service_kind {
    SERVICE_HTTP,
    SERVICE_DATABASE,
    SERVICE_CACHE,
    SERVICE_WORKER,
    SERVICE_JOB,
    SERVICE_KIND_COUNT
};
enum service_priority {
    SERVICE_PRIORITY_HIGH,
    SERVICE_PRIORITY_NORMAL,
    SERVICE_PRIORITY_LOW,
    SERVICE_PRIORITY_COUNT
};
#define CGROUP_MOUNT "/sys/fs/cgroup"
#define REDIS_PORT 6379 /* where a redis:// url names none */

enum check_type { CHECK_HTTP, CHECK_TCP, CHECK_POSTGRES, CHECK_REDIS, CHECK_TYPE_COUNT };
enum healing_mode { HEALING_OFF, HEALING_ADVISE, HEALING_DRY_RUN, HEALING_ACT, HEALING_MODE_COUNT };
enum healing_action {
    HEALING_RESTART = 1 << 0,
    HEALING_RECLAIM = 1 << 1,
    HEALING_RETUNE = 1 << 2,
};
#define HEALING_ACTION_COUNT 3

/* What an answer has to be like. */
struct config_expect {
    bool given;
    unsigned status;         /* 0: any 2xx or 3xx */
    char *body;              /* has to be part of it; NULL: does not matter */
    struct config_map json;  /* JSON pointer (RFC 6901) and the value there, as JSON text */
    double certificate_days; /* that the server's is good for at least; NaN: does not matter */
};

/* An active probe. */
struct config_check {
    bool given;
    enum check_type type;
    char *url;
    double interval_seconds, timeout_seconds;
    struct config_expect expect;
    char *password_file, *token_file; /* NULL: none */
    char *ca_file;                    /* NULL: the system's */
};

/* In `netns`, beside paths. */
#define NETNS_OWN "own"
#define NETNS_ANY "any"

struct config_service {
    char *name;
    enum service_kind kind;
    enum service_priority priority;
    struct {
        char *unit, *cgroup, *comm, *exe; /* NULL: does not matter */
        unsigned port;                    /* 0: does not matter */
    } match;
    char *netns; /* whose port it is: NETNS_OWN, NETNS_ANY, or the path of a network namespace */
    struct config_check check;
    struct {
        bool given;
        enum healing_mode mode;
        unsigned actions; /* of enum healing_action */
    } healing;
};

enum breaker_mode {
    BREAKER_MODE_OBSERVE,
    BREAKER_MODE_ENFORCE,
    BREAKER_MODE_FORCED_OPEN,
    BREAKER_MODE_DISABLED,
    BREAKER_MODE_COUNT,
};
enum breaker_on_open { BREAKER_ON_OPEN_LEAVE, BREAKER_ON_OPEN_CLOSE, BREAKER_ON_OPEN_COUNT };
enum breaker_window { BREAKER_WINDOW_CALLS, BREAKER_WINDOW_SECONDS, BREAKER_WINDOW_COUNT };

struct config_breaker {
    enum breaker_mode mode;
    unsigned failure_threshold; /* consecutive failures */
    double recovery_timeout_seconds;
    unsigned success_threshold;
    double timeout_seconds; /* the age at which an unanswered call has failed */
    enum breaker_window window_type;
    double window;
    unsigned minimum_calls;
    double failure_rate_percent;
    double slow_call_ms; /* 0: no call is slow */
    double slow_call_rate_percent;
    unsigned half_open_max_calls;
    double half_open_timeout_seconds;
    double backoff_multiplier;
    double max_recovery_timeout_seconds;
    enum breaker_on_open on_open; /* what becomes of connections that are open already */
    bool dry_run;                 /* struct config's: decided, and nothing done about it */
};

enum fallback_strategy { FALLBACK_ALTERNATIVE, FALLBACK_CACHED, FALLBACK_REDUCED };
#define FALLBACK_STRATEGY_COUNT (FALLBACK_REDUCED + 1)

struct config_fallback {
    bool given;
    bool enabled;
    enum fallback_strategy strategy;
    struct config_strings endpoints; /* HOST:PORT */
    struct config_strings paths;     /* cached: beside the check's own */
    double cache_ttl_seconds;
    double timeout_seconds;
    struct {
        unsigned status;
        char *content_type;
        char *body;
    } response;
};

enum upstream_kind {
    UPSTREAM_HTTP,
    UPSTREAM_DATABASE,
    UPSTREAM_CACHE,
    UPSTREAM_TCP,
    UPSTREAM_KIND_COUNT
};

struct config_upstream {
    char *name;
    enum upstream_kind kind;
    struct config_strings addresses; /* HOST:PORT or CIDR:PORT, see config/address.h */
    struct {
        char *cgroup; /* relative to the cgroup v2 mount; NULL: every process */
    } clients;
    char *netns;      /* of the clients' sockets, as that of a service */
    bool read_status; /* look at the status lines of plain HTTP/1.x answers */
    struct config_check check;
    struct config_breaker breaker; /* what is not given comes from circuit_breaker */
    struct config_fallback fallback;
};

#endif
