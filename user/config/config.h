/* The configuration: built-in default < file < environment, validated as a whole.
 *
 * Every key's type, range, default, environment name and documentation stands once, in the tables
 * of config/keys*.c; parsing, validation, the JSON Schema and the reference come from
 * them. Keys in seconds are called `_seconds` here and have no suffix in the file.
 */
#ifndef MOONWATCH_CONFIG_CONFIG_H
#define MOONWATCH_CONFIG_CONFIG_H

#include "abi/concerns.h"
#include "config/alerting.h"
#include "config/services.h"
#include "config/values.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Order of probe modes: auto, twin, off (enum probe_mode). */
#define CONFIG_PROBE_OFF 2

#define PROBE_MODE(id, name, ...) int name;
struct config_probes {
    CONCERN_ROWS(PROBE_MODE)
};
#undef PROBE_MODE

enum retry_jitter { RETRY_JITTER_FULL, RETRY_JITTER_EQUAL, RETRY_JITTER_NONE };
#define RETRY_JITTER_COUNT (RETRY_JITTER_NONE + 1)

/* An application's parameter that the agent proposes a value for, e.g. a batch size. */
struct config_tunable {
    char *name;
    double minimum, maximum;
    double initial;
    double grow_factor;   /* above 1 */
    double shrink_factor; /* below 1 */
};

struct config {
    bool dry_run; /* of the command line, no key: nothing acts on the host */
    struct {
        bool enabled;
        double check_interval_seconds;
        double cpu_critical_after_seconds;
        struct {
            double cpu_warning, cpu_critical;
            double memory_warning, memory_critical;
            double disk_warning, disk_critical;
        } thresholds; /* percent; the short forms are merged into them */
        struct {
            double cpu, memory, disk; /* NaN: not given */
        } short_form;
    } health_monitor;
    struct {
        bool enabled;
        double window_size_seconds;
        double degradation_threshold;
        double optimization_interval_seconds;
        double slow_wait_ms; /* run-queue delays from here up are recorded; 0: none */
        double stall_ms;     /* reclaim stalls from here up are recorded; 0: none */
    } performance_tracker;
    struct {
        bool enabled;
        double cooldown_period_seconds;
        double escalation_delay_seconds;
        unsigned escalation_limit;
        enum severity escalation_minimum_severity;
        unsigned max_alerts_per_hour;
        unsigned flapping_changes;
        double flapping_window_seconds;
        char *rules_directory; /* NULL: none */
        CONFIG_LIST(struct config_rule) rules;
        CONFIG_LIST(struct config_channel) channels;
        CONFIG_LIST(struct config_route) routes;
        CONFIG_LIST(struct config_inhibit) inhibit;
        CONFIG_LIST(struct config_mute_window) mute_windows;
    } alert_manager;
    struct {
        bool enabled;
        unsigned failure_threshold;
        double recovery_timeout_seconds;
        unsigned success_threshold;
        double timeout_seconds;
        struct {
            bool enabled;
            double cache_ttl_seconds;
            double timeout_seconds;
        } fallback;
    } circuit_breaker;
    struct {
        char *listen; /* "127.0.0.1:8000", "[::1]:8000" */
        unsigned max_connections;
        double idle_timeout_seconds;
        unsigned metrics_series_max;
        char *bpffs_directory;      /* "/sys/fs/bpf/moonwatch" */
        char *host_root;            /* "/", "/host" in a container */
        int log_level;              /* enum log_level */
        char *tls_certificate_file; /* NULL: plain HTTP */
        char *tls_key_file;
        struct config_strings allowed_hosts;
    } server;
    struct {
        char *tokens_file; /* NULL: no tokens, loopback only */
    } auth;
    CONFIG_LIST(struct config_service) services;
    CONFIG_LIST(struct config_upstream) upstreams;
    struct {
        unsigned max_attempts;
        double base_delay_seconds, max_delay_seconds;
        double max_elapsed_seconds; /* since the first attempt; 0: no limit */
        enum retry_jitter jitter;
        double budget_percent;    /* retries as a share of calls ... */
        double budget_per_second; /* ... plus so many */
    } retry;
    struct {
        enum healing_mode mode;
        unsigned max_actions_per_hour;
        double cooldown_seconds;
        double verify_after_seconds;
    } healing;
    struct {
        bool enabled;
        double interval_seconds;
        double cpu_high_percent, cpu_low_percent;
        CONFIG_LIST(struct config_tunable) parameters;
    } tuning;
    struct {
        bool enabled;
        double window_seconds, horizon_seconds;
        double confidence_percent;
        double anomaly_score; /* 0..1 */
    } prediction;
    struct {
        bool enabled;
        double interval_seconds, retention_seconds;
        double max_bytes;
    } history;
    struct {
        bool anonymize_processes, anonymize_addresses;
    } privacy;
    struct {
        unsigned sample_interval_ms;
        double budget_percent; /* of all CPUs, for all BPF programs together; 0: no budget */
        double retry_seconds;
        unsigned ring_bytes; /* a power of two */
        unsigned cgroups_max;
        double stats_interval_seconds;
        double stats_duration_ms; /* 0: never measured */
        struct config_probes probes;
    } overhead;
    struct {
        char *name; /* NULL: the host name */
        struct config_map labels;
        struct config_strings peers;
        double interval_seconds;
        char *token_file;
    } fleet;
    char *schema; /* "$schema", for editors; not used */
};

/* One error: where and what is wrong, e.g. "/health_monitor/thresholds/cpu_warning" and
 * "70 is not below cpu_critical 60 (allowed: less)". The pointer is "" for the file as a whole and
 * "environment NAME" for a variable. */
struct config_error {
    char pointer[256];
    char message[256];
};

#define CONFIG_ERRORS_KEPT 32

struct config_errors {
    size_t count; /* all of them, also those beyond the list */
    struct config_error list[CONFIG_ERRORS_KEPT];
    /* What is allowed and surely not meant; likewise. */
    size_t warning_count;
    struct config_error warnings[CONFIG_ERRORS_KEPT];
};

/* Formats and counts one; beyond the list only counts. */
void config_error_add(struct config_errors *errors, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The first of them in one line: "FILE: /pointer: what is wrong". */
void config_errors_say(const struct config_errors *errors, const char *file, char *out,
                       size_t size);
void config_warning_add(struct config_errors *errors, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define CONFIG_PATH_DEFAULT "/etc/moonwatch/monitoring.json"
#define CONFIG_BYTES_MAX (1024 * 1024)

/* Reads and validates `path`, or the built-in defaults when NULL, then applies the environment
 * (`environment` as environ; NULL: none). On success returns 0 and a configuration the caller
 * destroys; else -EINVAL with the errors, or another negative errno with one error about the file.
 * Warnings come with both. */
int config_load(struct config **ret, const char *path, char *const *environment,
                struct config_errors *errors);
void config_destroy(struct config *config);
/* The rules of a file like those in rules_directory, `{"rules": [...]}`, added to those that
 * `config` has. -EINVAL or another negative errno with errors that begin with the path. */
int config_add_rules(struct config *config, const char *path, struct config_errors *errors);

/* Calls `fn` with the pointer of each key that differs and is read at the start only. */
void config_changed_at_start(const struct config *before, const struct config *after,
                             void (*fn)(void *ctx, const char *pointer), void *ctx);

/* The file to read: `argument`, $MOONWATCH_CONFIG, CONFIG_PATH_DEFAULT if it exists, else NULL. */
const char *config_find(const char *argument, char *const *environment);

/* $RUNTIME_DIRECTORY or /run/moonwatch; $STATE_DIRECTORY or /var/lib/moonwatch. */
const char *config_runtime_directory(char *const *environment);
const char *config_state_directory(char *const *environment);

#endif
