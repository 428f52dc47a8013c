/* upstreams: their breakers and fallbacks. */
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"

#define DAY 86400
#define MS 1000
/* A reduced answer is a small page, not a file. */
#define BODY_BYTES_MAX 65536

#define IN_BREAKER(member) .offset = offsetof(struct config_breaker, member)

static const struct key breaker_keys[] = {
    {.name = "mode",
     .type = KEY_CHOICE,
     IN_BREAKER(mode),
     .choices = breaker_mode_names,
     .initial = "\"observe\"",
     .doc = "observe: decide and say so; enforce: refuse or redirect connections while open"},
    {.name = "failure_threshold",
     .type = KEY_WHOLE,
     IN_BREAKER(failure_threshold),
     .minimum = 1,
     .maximum = 10000,
     .inherits = "/circuit_breaker/failure_threshold",
     .doc = "Consecutive failures that open it"},
    {.name = "recovery_timeout",
     .type = KEY_NUMBER,
     IN_BREAKER(recovery_timeout_seconds),
     .minimum = 0.1,
     .maximum = DAY,
     .unit = "s",
     .inherits = "/circuit_breaker/recovery_timeout",
     .doc = "How long it stays open the first time"},
    {.name = "success_threshold",
     .type = KEY_WHOLE,
     IN_BREAKER(success_threshold),
     .minimum = 1,
     .maximum = 1000,
     .inherits = "/circuit_breaker/success_threshold",
     .doc = "Successful probes that close it"},
    {.name = "timeout",
     .type = KEY_NUMBER,
     IN_BREAKER(timeout_seconds),
     .minimum = 0.001,
     .maximum = 3600,
     .unit = "s",
     .inherits = "/circuit_breaker/timeout",
     .doc = "The age at which an unanswered call has failed"},
    {.name = "window_type",
     .type = KEY_CHOICE,
     IN_BREAKER(window_type),
     .choices = breaker_window_names,
     .initial = "\"calls\"",
     .doc = "What `window` counts"},
    {.name = "window",
     .type = KEY_NUMBER,
     IN_BREAKER(window),
     .minimum = 1,
     .maximum = 10000,
     .unit = "calls or s",
     .initial = "100",
     .doc = "The last calls that the rates are taken over"},
    {.name = "minimum_calls",
     .type = KEY_WHOLE,
     IN_BREAKER(minimum_calls),
     .minimum = 1,
     .maximum = 10000,
     .initial = "20",
     .doc = "With fewer calls in the window no rate opens it"},
    {.name = "failure_rate",
     .type = KEY_NUMBER,
     IN_BREAKER(failure_rate_percent),
     .minimum = 0,
     .maximum = 100,
     .above_minimum = true,
     .unit = "%",
     .initial = "50",
     .doc = "The share of failures that opens it"},
    {.name = "slow_call_ms",
     .type = KEY_NUMBER,
     IN_BREAKER(slow_call_ms),
     .minimum = 0,
     .maximum = 3600000,
     .unit = "ms",
     .initial = "0",
     .doc = "A call from here up is slow; 0: none"},
    {.name = "slow_call_rate",
     .type = KEY_NUMBER,
     IN_BREAKER(slow_call_rate_percent),
     .minimum = 0,
     .maximum = 100,
     .above_minimum = true,
     .unit = "%",
     .initial = "100",
     .doc = "The share of slow calls that opens it"},
    {.name = "half_open_max_calls",
     .type = KEY_WHOLE,
     IN_BREAKER(half_open_max_calls),
     .minimum = 1,
     .maximum = 1000,
     .initial = "10",
     .doc = "Probes let through while half open"},
    {.name = "half_open_timeout",
     .type = KEY_NUMBER,
     IN_BREAKER(half_open_timeout_seconds),
     .minimum = 0.1,
     .maximum = DAY,
     .unit = "s",
     .initial = "60",
     .doc = "Half open no longer than this without a decision; then open again"},
    {.name = "backoff_multiplier",
     .type = KEY_NUMBER,
     IN_BREAKER(backoff_multiplier),
     .minimum = 1,
     .maximum = 10,
     .initial = "2",
     .doc = "Growth of the recovery timeout when probes fail"},
    {.name = "max_recovery_timeout",
     .type = KEY_NUMBER,
     IN_BREAKER(max_recovery_timeout_seconds),
     .minimum = 0.1,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc = "It never grows beyond this, nor is it cut below `recovery_timeout`"},
    {.name = "on_open",
     .type = KEY_CHOICE,
     IN_BREAKER(on_open),
     .choices = breaker_on_open_names,
     .initial = "\"leave\"",
     .doc = "When it opens, leave the connections that are open already, or close them"},
};

static void check_breaker(struct reader *reader, void *base)
{
    struct config_breaker *breaker = base;

    if (breaker->max_recovery_timeout_seconds < breaker->recovery_timeout_seconds) {
        if (reader_has(reader, "max_recovery_timeout"))
            reader_error(reader, "max_recovery_timeout",
                         "%g is below recovery_timeout %g (allowed: at least %g)",
                         breaker->max_recovery_timeout_seconds, breaker->recovery_timeout_seconds,
                         breaker->recovery_timeout_seconds);
        else
            breaker->max_recovery_timeout_seconds = breaker->recovery_timeout_seconds;
    }
    /* Half open could never close. */
    if (breaker->half_open_max_calls < breaker->success_threshold) {
        if (reader_has(reader, "half_open_max_calls"))
            reader_error(reader, "half_open_max_calls",
                         "%u is below success_threshold %u (allowed: at least %u)",
                         breaker->half_open_max_calls, breaker->success_threshold,
                         breaker->success_threshold);
        else
            breaker->half_open_max_calls = breaker->success_threshold;
    }
    if (breaker->window_type == BREAKER_WINDOW_CALLS && breaker->minimum_calls > breaker->window) {
        if (reader_has(reader, "minimum_calls"))
            reader_error(reader, "minimum_calls", "%u is over the window %g (allowed: at most %g)",
                         breaker->minimum_calls, breaker->window, breaker->window);
        else
            breaker->minimum_calls = (unsigned)breaker->window;
    }
    if (breaker->slow_call_ms > 0 && breaker->slow_call_ms >= breaker->timeout_seconds * MS)
        reader_warning(reader, "slow_call_ms",
                       "%g: no call is slow, one of that age has failed by the timeout of %g s "
                       "(allowed: less than %g)",
                       breaker->slow_call_ms, breaker->timeout_seconds,
                       breaker->timeout_seconds * MS);
    if (breaker->slow_call_ms <= 0 && reader_has(reader, "slow_call_rate"))
        reader_warning(reader, "slow_call_rate",
                       "opens nothing: without slow_call_ms no call is slow (allowed: with it)");
}

static const struct key_table breaker_table = {KEY_TABLE(breaker_keys), .check = check_breaker};

#define IN_FALLBACK(member) .offset = offsetof(struct config_fallback, member)

static const struct key response_keys[] = {
    {.name = "status",
     .type = KEY_WHOLE,
     IN_FALLBACK(response.status),
     .minimum = 200,
     .maximum = 599,
     .initial = "200",
     .doc = "The HTTP status"},
    {.name = "content_type",
     .type = KEY_STRING,
     IN_FALLBACK(response.content_type),
     .format = &format_text,
     .initial = "\"application/json\"",
     .doc = "The media type"},
    {.name = "body",
     .type = KEY_STRING,
     IN_FALLBACK(response.body),
     .maximum = BODY_BYTES_MAX,
     .initial = "\"\"",
     .doc = "The body"},
};

static const struct key_table response_table = {KEY_TABLE(response_keys)};

static const struct key fallback_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_FALLBACK(enabled),
     .inherits = "/circuit_breaker/fallback/enabled",
     .doc = "Use it while the breaker is open"},
    {.name = "strategy",
     .type = KEY_CHOICE,
     IN_FALLBACK(strategy),
     .choices = fallback_strategy_names,
     .required = true,
     .doc = "alternative: another endpoint; cached: the last good answer; reduced: `response`"},
    {.name = "endpoints",
     .type = KEY_STRINGS,
     IN_FALLBACK(endpoints),
     .format = &format_endpoint,
     .or_one = true,
     .doc = "alternative: where to go instead, in order of preference"},
    {.name = "paths",
     .type = KEY_STRINGS,
     IN_FALLBACK(paths),
     .format = &format_url_path,
     .or_one = true,
     .doc = "cached: whose answers are kept, beside the path of the check's url"},
    {.name = "cache_ttl",
     .type = KEY_NUMBER,
     IN_FALLBACK(cache_ttl_seconds),
     .minimum = 0,
     .maximum = 30.0 * DAY,
     .unit = "s",
     .inherits = "/circuit_breaker/fallback/cache_ttl",
     .doc = "cached: how old an answer may be"},
    {.name = "timeout",
     .type = KEY_NUMBER,
     IN_FALLBACK(timeout_seconds),
     .minimum = 0.001,
     .maximum = 3600,
     .unit = "s",
     .inherits = "/circuit_breaker/fallback/timeout",
     .doc = "How long the fallback may take to answer"},
    {.name = "response",
     .type = KEY_OBJECT,
     .table = &response_table,
     .doc = "reduced: the answer given instead"},
};

static void check_fallback(struct reader *reader, void *base)
{
    const struct config_fallback *fallback = base;

    if (fallback->strategy == FALLBACK_ALTERNATIVE && !fallback->endpoints.count)
        reader_error(reader, "endpoints", "is missing (allowed: at least one HOST:PORT)");
    if (fallback->strategy == FALLBACK_REDUCED && !reader_has(reader, "response"))
        reader_error(reader, "response", "is missing (allowed: an object)");
    if (!fallback->enabled && !reader_has(reader, "enabled"))
        reader_warning(reader, "",
                       "is never used: circuit_breaker.fallback.enabled is false (allowed: "
                       "\"enabled\": true here or there)");
}

static const struct key_table fallback_table = {KEY_TABLE(fallback_keys), .check = check_fallback};

#define IN_UPSTREAM(member) .offset = offsetof(struct config_upstream, member)

static const struct key clients_keys[] = {
    {.name = "cgroup",
     .type = KEY_STRING,
     IN_UPSTREAM(clients.cgroup),
     .format = &format_cgroup,
     .doc =
         "As in /proc/PID/cgroup; the first / may be left out. Followed by its path: while it is "
         "missing nobody is a client (default: every process)"},
};

static const struct key_table clients_table = {KEY_TABLE(clients_keys)};

static const struct key upstream_keys[] = {
    {.name = "name",
     .type = KEY_STRING,
     IN_UPSTREAM(name),
     .format = &format_name,
     .required = true,
     .doc = "What it is called"},
    {.name = "kind",
     .type = KEY_CHOICE,
     IN_UPSTREAM(kind),
     .choices = upstream_kind_names,
     .initial = "\"tcp\"",
     .doc = "What it is"},
    {.name = "address",
     .type = KEY_STRINGS,
     IN_UPSTREAM(addresses),
     .format = &format_address,
     .minimum = 1,
     .or_one = true,
     .required = true,
     .doc = "Where it is, one or more"},
    {.name = "clients", .type = KEY_OBJECT, .table = &clients_table, .doc = "Who calls it"},
    {.name = "netns",
     .type = KEY_STRING,
     IN_UPSTREAM(netns),
     .format = &format_netns,
     .initial = "\"own\"",
     .doc = "From which network namespace: the agent's own, any, or that of a file, e.g. "
            "/run/netns/shop or /proc/PID/ns/net; while it is missing nobody is a client"},
    {.name = "read_status",
     .type = KEY_BOOL,
     IN_UPSTREAM(read_status),
     .initial = "false",
     .doc = "Look at the status lines of plain HTTP/1.x answers: 5xx are failures, 429 is counted "
            "apart"},
    {.name = "check",
     .type = KEY_OBJECT,
     IN_UPSTREAM(check),
     .table = &check_table,
     .optional = true,
     .doc = "An active probe"},
    {.name = "breaker",
     .type = KEY_OBJECT,
     IN_UPSTREAM(breaker),
     .table = &breaker_table,
     .doc = "When calls are held back"},
    {.name = "fallback",
     .type = KEY_OBJECT,
     IN_UPSTREAM(fallback),
     .table = &fallback_table,
     .optional = true,
     .doc = "What callers get meanwhile"},
};

/* What is cached comes from the check. */
static void check_upstream(struct reader *reader, void *base)
{
    const struct config_upstream *upstream = base;
    const struct config_check *check = &upstream->check;

    if (upstream->fallback.given && upstream->fallback.strategy == FALLBACK_CACHED &&
        (!check->given || check->type != CHECK_HTTP))
        reader_error(reader, "fallback/strategy",
                     "\"cached\" has no answers to keep (allowed: with a check of type http)");
}

static void inherit_upstream(void *base, const struct config *config)
{
    struct config_upstream *upstream = base;

    upstream->breaker.failure_threshold = config->circuit_breaker.failure_threshold;
    upstream->breaker.recovery_timeout_seconds = config->circuit_breaker.recovery_timeout_seconds;
    upstream->breaker.success_threshold = config->circuit_breaker.success_threshold;
    upstream->breaker.timeout_seconds = config->circuit_breaker.timeout_seconds;
    upstream->fallback.enabled = config->circuit_breaker.fallback.enabled;
    upstream->fallback.cache_ttl_seconds = config->circuit_breaker.fallback.cache_ttl_seconds;
    upstream->fallback.timeout_seconds = config->circuit_breaker.fallback.timeout_seconds;
}

const struct key_table upstream_table = {KEY_TABLE(upstream_keys),
                                         .size = sizeof(struct config_upstream),
                                         .inherit = inherit_upstream, .check = check_upstream};
