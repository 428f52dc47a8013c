/* The top of the configuration. Its parts with more structure are in keys_*.c. */
#include "base/names.h"
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <math.h>
#include <stdio.h>

#define IN_CONFIG(member) .offset = offsetof(struct config, member)
#define DAY 86400

static const char *const probe_modes[] = {"auto", "twin", "off", NULL};
NAMES_OF(probe_modes, CONFIG_PROBE_OFF + 1);

#define THRESHOLD(name_, initial_, doc_)                                                           \
    {                                                                                              \
        .name = #name_, .type = KEY_NUMBER, IN_CONFIG(health_monitor.thresholds.name_),            \
        .minimum = 0, .maximum = 100, .above_minimum = true, .unit = "%", .initial = initial_,     \
        .doc = doc_                                                                                \
    }

static const struct key threshold_keys[] = {
    THRESHOLD(cpu_warning, "70", "CPU usage at which health turns degraded"),
    THRESHOLD(cpu_critical, "85", "CPU usage at which health turns unhealthy"),
    THRESHOLD(memory_warning, "75", "Memory usage at which health turns degraded"),
    THRESHOLD(memory_critical, "90", "Memory usage at which health turns unhealthy"),
    THRESHOLD(disk_warning, "80", "Disk usage (bytes or inodes) at which health turns degraded"),
    THRESHOLD(disk_critical, "95", "Disk usage (bytes or inodes) at which health turns unhealthy"),
};

static const struct key_table threshold_table = {KEY_TABLE(threshold_keys)};

#define SHORT_FORM(what)                                                                           \
    {                                                                                              \
        .name = #what "_threshold", .type = KEY_NUMBER, IN_CONFIG(health_monitor.short_form.what), \
        .minimum = 0, .maximum = 100, .above_minimum = true, .unit = "%",                          \
        .doc = "Short form of `thresholds." #what "_warning`; not together with it"                \
    }

static const struct key health_monitor_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(health_monitor.enabled),
     .initial = "true",
     .environment = "MONITORING_ENABLED",
     .doc = "Judge the host's health"},
    {.name = "check_interval",
     .type = KEY_NUMBER,
     IN_CONFIG(health_monitor.check_interval_seconds),
     .minimum = 1,
     .maximum = DAY,
     .unit = "s",
     .initial = "30",
     .environment = "HEALTH_CHECK_INTERVAL",
     .doc = "How often the full health check is judged and logged; figures are sampled every "
            "overhead.sample_interval_ms, and crashes and OOM kills act at once"},
    {.name = "cpu_critical_after",
     .type = KEY_NUMBER,
     IN_CONFIG(health_monitor.cpu_critical_after_seconds),
     .minimum = 0,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc =
         "How long CPU usage is at cpu_critical before health turns unhealthy; sooner only while "
         "tasks of normal or higher priority are kept waiting for a CPU. Work of low (nice) and "
         "idle priority does not count"},
    {.name = "thresholds",
     .type = KEY_OBJECT,
     .table = &threshold_table,
     .doc = "Levels of resource usage; each warning is below its critical"},
    SHORT_FORM(cpu),
    SHORT_FORM(memory),
    SHORT_FORM(disk),
};

static void check_level(struct reader *reader, const char *what, double short_form, double *warning,
                        double critical)
{
    char path[64];
    const cJSON *thresholds = cJSON_GetObjectItemCaseSensitive(reader->object, "thresholds");

    snprintf(path, sizeof(path), "%s_warning", what);
    if (isnan(short_form)) {
        snprintf(path, sizeof(path), "thresholds/%s_warning", what);
    } else {
        if (cJSON_GetObjectItemCaseSensitive(thresholds, path)) {
            snprintf(path, sizeof(path), "%s_threshold", what);
            reader_error(reader, path,
                         "is given together with thresholds/%s_warning "
                         "(allowed: one of them)",
                         what);
            return;
        }
        *warning = short_form;
        snprintf(path, sizeof(path), "%s_threshold", what);
    }
    if (*warning >= critical)
        reader_error(reader, path, "%g is not below %s_critical %g (allowed: less than %g)",
                     *warning, what, critical, critical);
}

static void check_health_monitor(struct reader *reader, void *base)
{
    struct config *config = base;

    reader_doubt_ratios(reader, config);
    check_level(reader, "cpu", config->health_monitor.short_form.cpu,
                &config->health_monitor.thresholds.cpu_warning,
                config->health_monitor.thresholds.cpu_critical);
    check_level(reader, "memory", config->health_monitor.short_form.memory,
                &config->health_monitor.thresholds.memory_warning,
                config->health_monitor.thresholds.memory_critical);
    check_level(reader, "disk", config->health_monitor.short_form.disk,
                &config->health_monitor.thresholds.disk_warning,
                config->health_monitor.thresholds.disk_critical);
}

static const struct key_table health_monitor_table = {KEY_TABLE(health_monitor_keys),
                                                      .check = check_health_monitor};

static const struct key performance_tracker_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(performance_tracker.enabled),
     .initial = "true",
     .environment = "PERFORMANCE_TRACKING",
     .later = true,
     .doc = "Track latency and throughput of services"},
    {.name = "window_size",
     .type = KEY_NUMBER,
     IN_CONFIG(performance_tracker.window_size_seconds),
     .minimum = 10,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc = "The window that recent figures are taken over"},
    {.name = "degradation_threshold",
     .type = KEY_NUMBER,
     IN_CONFIG(performance_tracker.degradation_threshold),
     .minimum = 0,
     .maximum = 100,
     .above_minimum = true,
     .initial = "0.2",
     .doc = "Degraded when latency exceeds its baseline by this share; 0.2 is 20 %"},
    {.name = "optimization_interval",
     .type = KEY_NUMBER,
     IN_CONFIG(performance_tracker.optimization_interval_seconds),
     .minimum = 1,
     .maximum = DAY,
     .unit = "s",
     .initial = "60",
     .later = true,
     .doc = "How often recommendations are worked out"},
    {.name = "slow_wait_ms",
     .type = KEY_NUMBER,
     IN_CONFIG(performance_tracker.slow_wait_ms),
     .at_start = true,
     .minimum = 0,
     .maximum = 60000,
     .unit = "ms",
     .initial = "20",
     .doc = "Waits for a CPU from here up are recorded one by one; 0: none"},
    {.name = "stall_ms",
     .type = KEY_NUMBER,
     IN_CONFIG(performance_tracker.stall_ms),
     .at_start = true,
     .minimum = 0,
     .maximum = 60000,
     .unit = "ms",
     .initial = "10",
     .doc = "Memory reclaim stalls from here up are recorded one by one; 0: none"},
};

static const struct key_table performance_tracker_table = {KEY_TABLE(performance_tracker_keys)};

static const struct key fallback_default_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(circuit_breaker.fallback.enabled),
     .initial = "true",
     .environment = "FALLBACK_ENABLED",
     .doc = "Use the fallbacks that upstreams have"},
    {.name = "cache_ttl",
     .type = KEY_NUMBER,
     IN_CONFIG(circuit_breaker.fallback.cache_ttl_seconds),
     .minimum = 0,
     .maximum = 30.0 * DAY,
     .unit = "s",
     .initial = "300",
     .environment = "CACHE_TTL",
     .doc = "How old a cached answer may be"},
    {.name = "timeout",
     .type = KEY_NUMBER,
     IN_CONFIG(circuit_breaker.fallback.timeout_seconds),
     .minimum = 0.001,
     .maximum = 3600,
     .unit = "s",
     .initial = "10",
     .environment = "FALLBACK_TIMEOUT",
     .doc = "How long a fallback may take to answer"},
};

static const struct key_table fallback_default_table = {KEY_TABLE(fallback_default_keys)};

static const struct key circuit_breaker_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(circuit_breaker.enabled),
     .initial = "true",
     .environment = "CIRCUIT_BREAKER_ENABLED",
     .doc = "Keep a breaker for each upstream"},
    {.name = "failure_threshold",
     .type = KEY_WHOLE,
     IN_CONFIG(circuit_breaker.failure_threshold),
     .minimum = 1,
     .maximum = 10000,
     .initial = "5",
     .environment = "FAILURE_THRESHOLD",
     .doc = "Consecutive failures that open a breaker"},
    {.name = "recovery_timeout",
     .type = KEY_NUMBER,
     IN_CONFIG(circuit_breaker.recovery_timeout_seconds),
     .minimum = 0.1,
     .maximum = DAY,
     .unit = "s",
     .initial = "60",
     .environment = "RECOVERY_TIMEOUT",
     .doc = "How long a breaker stays open before it lets probes through"},
    {.name = "success_threshold",
     .type = KEY_WHOLE,
     IN_CONFIG(circuit_breaker.success_threshold),
     .minimum = 1,
     .maximum = 1000,
     .initial = "3",
     .doc = "Successful probes that close a breaker"},
    {.name = "timeout",
     .type = KEY_NUMBER,
     IN_CONFIG(circuit_breaker.timeout_seconds),
     .minimum = 0.001,
     .maximum = 3600,
     .unit = "s",
     .initial = "30",
     .doc = "The age at which an unanswered call has failed"},
    {.name = "fallback",
     .type = KEY_OBJECT,
     .table = &fallback_default_table,
     .doc = "Defaults of the upstreams' fallbacks"},
};

static const struct key_table circuit_breaker_table = {KEY_TABLE(circuit_breaker_keys)};

#define PROBE_MODE(id, name_, component, figures, doc_, ...)                                       \
    {.name = #name_,                                                                               \
     .type = KEY_CHOICE,                                                                           \
     IN_CONFIG(overhead.probes.name_),                                                             \
     .choices = probe_modes,                                                                       \
     .initial = "\"auto\"",                                                                        \
     .doc = doc_},
static const struct key probe_keys[] = {CONCERN_ROWS(PROBE_MODE)};
#undef PROBE_MODE

static const struct key_table probe_table = {KEY_TABLE(probe_keys)};

static const struct key overhead_keys[] = {
    {.name = "sample_interval_ms",
     .type = KEY_WHOLE,
     IN_CONFIG(overhead.sample_interval_ms),
     .minimum = 100,
     .maximum = 2000,
     .unit = "ms",
     .initial = "1000",
     .doc = "How often every figure is read and judged"},
    {.name = "budget_percent",
     .type = KEY_NUMBER,
     IN_CONFIG(overhead.budget_percent),
     .minimum = 0,
     .maximum = 100,
     .unit = "% of all CPUs",
     .initial = "3",
     .doc = "All BPF programs together; beyond it the costliest is shed. 0: no budget"},
    {.name = "retry",
     .type = KEY_NUMBER,
     IN_CONFIG(overhead.retry_seconds),
     .minimum = 1,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc = "A shed program is tried again after this"},
    {.name = "ring_bytes",
     .type = KEY_WHOLE,
     IN_CONFIG(overhead.ring_bytes),
     .minimum = 4096,
     .maximum = 1 << 27,
     .power_of_2 = true,
     .unit = "bytes",
     .initial = "524288",
     .doc = "The ring buffer between kernel and agent"},
    {.name = "cgroups_max",
     .type = KEY_WHOLE,
     IN_CONFIG(overhead.cgroups_max),
     .minimum = 16,
     .maximum = 65536,
     .initial = "1024",
     .doc = "Cgroups with figures of their own; the rest share one row"},
    {.name = "stats_interval",
     .type = KEY_NUMBER,
     IN_CONFIG(overhead.stats_interval_seconds),
     .minimum = 1,
     .maximum = DAY,
     .unit = "s",
     .initial = "30",
     .doc = "How often the cost of each program is measured ..."},
    {.name = "stats_duration_ms",
     .type = KEY_NUMBER,
     IN_CONFIG(overhead.stats_duration_ms),
     .minimum = 0,
     .maximum = 1000,
     .unit = "ms",
     .initial = "100",
     .doc = "... and for how long, since measuring costs too. 0: never"},
    {.name = "probes",
     .type = KEY_OBJECT,
     .table = &probe_table,
     .doc = "What the kernel side watches"},
};

static const struct key_table overhead_table = {KEY_TABLE(overhead_keys)};

/* circuit_breaker stands before upstreams, which inherit from it. */
static const struct key section_keys[] = {
    {.name = "$schema", .type = KEY_STRING, IN_CONFIG(schema), .doc = "For editors; not used"},
    {.name = "health_monitor",
     .type = KEY_OBJECT,
     .table = &health_monitor_table,
     .doc = "When the host is healthy"},
    {.name = "performance_tracker",
     .type = KEY_OBJECT,
     .table = &performance_tracker_table,
     .doc = "Latency, throughput and what slows them"},
    {.name = "alert_manager",
     .type = KEY_OBJECT,
     .table = &alert_manager_table,
     .doc = "Who is told about what, and how often"},
    {.name = "circuit_breaker",
     .type = KEY_OBJECT,
     .table = &circuit_breaker_table,
     .doc = "Defaults of the upstreams' breakers and fallbacks"},
    {.name = "server", .type = KEY_OBJECT, .table = &server_table, .doc = "The agent itself"},
    {.name = "auth", .type = KEY_OBJECT, .table = &auth_table, .doc = "Who may ask"},
    {.name = "services",
     .type = KEY_LIST,
     IN_CONFIG(services),
     .named = true,
     .table = &service_table,
     .doc = "What runs here"},
    {.name = "upstreams",
     .type = KEY_LIST,
     IN_CONFIG(upstreams),
     .named = true,
     .table = &upstream_table,
     .doc = "What local processes call"},
    {.name = "retry",
     .type = KEY_OBJECT,
     .table = &retry_table,
     .doc = "How the agent's own calls (checks, notifications) are repeated"},
    {.name = "healing",
     .type = KEY_OBJECT,
     .table = &healing_table,
     .later = true,
     .doc = "Bounds of automatic repair"},
    {.name = "tuning",
     .type = KEY_OBJECT,
     .table = &tuning_table,
     .later = true,
     .doc = "Parameters of applications that follow the load"},
    {.name = "prediction",
     .type = KEY_OBJECT,
     .table = &prediction_table,
     .later = true,
     .doc = "Forecasts and anomalies"},
    {.name = "history",
     .type = KEY_OBJECT,
     .table = &history_table,
     .later = true,
     .doc = "What is kept"},
    {.name = "privacy",
     .type = KEY_OBJECT,
     .table = &privacy_table,
     .later = true,
     .doc = "What is hidden"},
    {.name = "overhead",
     .type = KEY_OBJECT,
     .at_start = true,
     .table = &overhead_table,
     .doc = "What the agent may cost"},
    {.name = "fleet",
     .type = KEY_OBJECT,
     .table = &fleet_table,
     .later = true,
     .doc = "Other hosts"},
};

static void check_whole(struct reader *reader, void *base)
{
    check_upstreams(reader, base);
    doubt_breakers(reader, base);
    doubt_services(reader, base);
    check_channels(reader, base);
}

const struct key_table config_table = {KEY_TABLE(section_keys), .size = sizeof(struct config),
                                       .check = check_whole};
