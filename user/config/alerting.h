/* What alert_manager holds beside its four numbers. */
#ifndef MOONWATCH_CONFIG_ALERTING_H
#define MOONWATCH_CONFIG_ALERTING_H

#include "config/channel_types.h"
#include "config/values.h"
#include <stdbool.h>

#define TIME_ZONE_DIRECTORY "/usr/share/zoneinfo"

enum severity {
    SEVERITY_INFO,
    SEVERITY_WARNING,
    SEVERITY_ERROR,
    SEVERITY_CRITICAL,
    SEVERITY_COUNT
};

enum rule_kind {
    RULE_THRESHOLD,   /* a metric above or below a level */
    RULE_STATUS,      /* a health check that is not healthy */
    RULE_EVENT,       /* something happened */
    RULE_DEGRADATION, /* what the detectors of this kind find */
    RULE_ANOMALY,
    RULE_FORECAST,
    RULE_ABSENT, /* a metric without a series */
    RULE_KIND_COUNT,
};

enum rule_event {
    RULE_EVENT_CRASH,
    RULE_EVENT_OOM,
    RULE_EVENT_BREAKER,
    RULE_EVENT_STALL,
    RULE_EVENT_PROBE_SHED,
    RULE_EVENT_RECORDS_LOST,
    RULE_EVENT_CRASH_LOOP,     /* a service crashed or failed three times in five minutes */
    RULE_EVENT_SERVICE_FAILED, /* its main process ended with a status that is no success */
    RULE_EVENT_COUNT,
};

#define RULE_COUNT_MAX 16

struct config_rule {
    char *name;
    bool enabled;
    bool only_unhealthy; /* of RULE_STATUS */
    enum rule_kind kind;
    char *metric;        /* of RULE_THRESHOLD and RULE_ABSENT, else NULL */
    double above, below; /* of RULE_THRESHOLD: one of them; the other is NaN */
    double clear;        /* NaN: at the level itself */
    enum rule_event event;
    unsigned count;                 /* of RULE_EVENT: so many within ... */
    double within_seconds;          /* ... this time */
    double for_seconds;             /* NaN: what the kind has by default, see keys_rule.c */
    double keep_firing_for_seconds; /* likewise */
    enum severity severity;         /* of RULE_STATUS when degraded; unhealthy is critical */
    char *summary;                  /* may be NULL */
    struct config_map match;
    struct config_strings matchers;
    struct config_map labels;
};

/* A file of rules_directory. */
struct config_rule_file {
    CONFIG_LIST(struct config_rule) rules;
};

enum smtp_tls { SMTP_STARTTLS, SMTP_IMPLICIT, SMTP_PLAIN, SMTP_TLS_COUNT };

/* What a type does not use is NULL. */
struct config_channel {
    char *name;
    enum channel_type type;
    enum severity minimum_severity;
    char *url, *url_file;
    struct config_strings urls; /* of peers */
    double resend_interval_seconds;
    char *token_file, *secret_file;
    char *smtp, *from;
    enum smtp_tls tls;
    struct config_strings to;
    char *username, *password_file;
    char *ca_file;
    char *template; /* of one alert; NULL: the channel's own */
    double timeout_seconds;
    struct {
        unsigned max_attempts; /* 0: no limit */
        double base_delay_seconds, max_delay_seconds;
        double max_elapsed_seconds; /* 0: no limit */
    } retry;
    struct {
        unsigned failure_threshold; /* in a row */
        double recovery_timeout_seconds;
    } breaker;
};

struct config_route {
    struct config_map match; /* with `matchers` empty: every alert */
    struct config_strings matchers;
    struct config_strings channels;
    struct config_strings escalate_to;
    struct config_strings group_by;
    double group_wait_seconds, group_interval_seconds, repeat_interval_seconds;
};

struct config_inhibit {
    struct config_map source, target;
    struct config_strings source_matchers, target_matchers;
    struct config_strings equal;
};

struct config_mute_window {
    char *name;
    unsigned days;     /* bit 0: Monday */
    char *start, *end; /* "HH:MM"; an end before the start is on the next day; "24:00" */
    bool utc;
    char *time_zone; /* NULL: UTC or the host's, as `utc` says */
    struct config_map match;
    struct config_strings matchers;
};

#endif
