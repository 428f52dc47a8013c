/* What the agent does beside watching: retries, healing, tuning, prediction, history, the fleet. */
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <math.h>

#define IN_CONFIG(member) .offset = offsetof(struct config, member)
#define DAY 86400
#define YEAR (366.0 * DAY)

static const struct key retry_keys[] = {
    {.name = "max_attempts",
     .type = KEY_WHOLE,
     IN_CONFIG(retry.max_attempts),
     .minimum = 1,
     .maximum = 100,
     .initial = "5",
     .doc = "Attempts in all, the first included"},
    {.name = "base_delay",
     .type = KEY_NUMBER,
     IN_CONFIG(retry.base_delay_seconds),
     .minimum = 0.001,
     .maximum = 3600,
     .unit = "s",
     .initial = "1",
     .doc = "The delay before the first retry; it doubles with each"},
    {.name = "max_delay",
     .type = KEY_NUMBER,
     IN_CONFIG(retry.max_delay_seconds),
     .minimum = 0.001,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc = "No delay is longer, except one that the server asks for"},
    {.name = "max_elapsed",
     .type = KEY_NUMBER,
     IN_CONFIG(retry.max_elapsed_seconds),
     .minimum = 0,
     .maximum = 7.0 * DAY,
     .unit = "s",
     .initial = "3600",
     .doc = "No attempt later than this after the first; 0: no limit"},
    {.name = "jitter",
     .type = KEY_CHOICE,
     IN_CONFIG(retry.jitter),
     .choices = retry_jitter_names,
     .initial = "\"full\"",
     .doc = "full: anywhere from 0 to the delay; equal: from half of it; none: exactly it"},
    {.name = "budget_percent",
     .type = KEY_NUMBER,
     IN_CONFIG(retry.budget_percent),
     .minimum = 0,
     .maximum = 100,
     .unit = "%",
     .initial = "20",
     .doc = "Retries as a share of calls ..."},
    {.name = "budget_per_second",
     .type = KEY_NUMBER,
     IN_CONFIG(retry.budget_per_second),
     .minimum = 0,
     .maximum = 1e6,
     .initial = "10",
     .doc = "... plus so many per second"},
};

static void check_retry(struct reader *reader, void *base)
{
    struct config *config = base;

    if (config->retry.max_delay_seconds < config->retry.base_delay_seconds)
        reader_error(reader, "max_delay", "%g is below base_delay %g (allowed: at least %g)",
                     config->retry.max_delay_seconds, config->retry.base_delay_seconds,
                     config->retry.base_delay_seconds);
}

const struct key_table retry_table = {KEY_TABLE(retry_keys), .check = check_retry};

static const struct key healing_keys[] = {
    {.name = "mode",
     .type = KEY_CHOICE,
     IN_CONFIG(healing.mode),
     .choices = healing_mode_names,
     .initial = "\"advise\"",
     .doc = "The most the agent may do; a service has to allow it too"},
    {.name = "max_actions_per_hour",
     .type = KEY_WHOLE,
     IN_CONFIG(healing.max_actions_per_hour),
     .minimum = 1,
     .maximum = 1000,
     .initial = "6",
     .doc = "Actions on one service per hour; then a person is told"},
    {.name = "cooldown",
     .type = KEY_NUMBER,
     IN_CONFIG(healing.cooldown_seconds),
     .minimum = 0,
     .maximum = DAY,
     .unit = "s",
     .initial = "15",
     .doc = "Pause after an action, since figures lag behind it"},
    {.name = "verify_after",
     .type = KEY_NUMBER,
     IN_CONFIG(healing.verify_after_seconds),
     .minimum = 1,
     .maximum = 3600,
     .unit = "s",
     .initial = "30",
     .doc = "When it is judged whether an action helped"},
};

const struct key_table healing_table = {KEY_TABLE(healing_keys)};

#define IN_TUNABLE(member) .offset = offsetof(struct config_tunable, member)

static const struct key tunable_keys[] = {
    {.name = "name",
     .type = KEY_STRING,
     IN_TUNABLE(name),
     .format = &format_name,
     .required = true,
     .doc = "The NAME of GET /tuning/NAME"},
    {.name = "minimum",
     .type = KEY_NUMBER,
     IN_TUNABLE(minimum),
     .minimum = 0,
     .maximum = 1e12,
     .required = true,
     .doc = "The least value proposed"},
    {.name = "maximum",
     .type = KEY_NUMBER,
     IN_TUNABLE(maximum),
     .minimum = 0,
     .maximum = 1e12,
     .required = true,
     .doc = "The greatest value proposed"},
    {.name = "initial",
     .type = KEY_NUMBER,
     IN_TUNABLE(initial),
     .minimum = 0,
     .maximum = 1e12,
     .doc = "The first value proposed (default: the maximum)"},
    {.name = "grow_factor",
     .type = KEY_NUMBER,
     IN_TUNABLE(grow_factor),
     .minimum = 1,
     .maximum = 10,
     .above_minimum = true,
     .initial = "1.2",
     .doc = "Growth per interval while the CPU is idle enough, by at least 1"},
    {.name = "shrink_factor",
     .type = KEY_NUMBER,
     IN_TUNABLE(shrink_factor),
     .minimum = 0,
     .maximum = 1,
     .above_minimum = true,
     .initial = "0.5",
     .doc = "Reduction per interval while the CPU is too busy"},
};

static void check_tunable(struct reader *reader, void *base)
{
    struct config_tunable *tunable = base;

    if (isnan(tunable->initial))
        tunable->initial = tunable->maximum;
    if (tunable->minimum >= tunable->maximum)
        reader_error(reader, "minimum", "%g is not below maximum %g (allowed: less than %g)",
                     tunable->minimum, tunable->maximum, tunable->maximum);
    else if (tunable->initial < tunable->minimum || tunable->initial > tunable->maximum)
        reader_error(reader, "initial", "%g is out of range (allowed: from %g to %g)",
                     tunable->initial, tunable->minimum, tunable->maximum);
}

static const struct key_table tunable_table = {
    KEY_TABLE(tunable_keys), .size = sizeof(struct config_tunable), .check = check_tunable};

static const struct key tuning_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(tuning.enabled),
     .initial = "true",
     .doc = "Propose values for the parameters"},
    {.name = "interval",
     .type = KEY_NUMBER,
     IN_CONFIG(tuning.interval_seconds),
     .minimum = 1,
     .maximum = 3600,
     .unit = "s",
     .initial = "10",
     .doc = "How often a value may change"},
    {.name = "cpu_high",
     .type = KEY_NUMBER,
     IN_CONFIG(tuning.cpu_high_percent),
     .minimum = 0,
     .maximum = 100,
     .unit = "%",
     .initial = "80",
     .doc = "Values shrink above this CPU usage"},
    {.name = "cpu_low",
     .type = KEY_NUMBER,
     IN_CONFIG(tuning.cpu_low_percent),
     .minimum = 0,
     .maximum = 100,
     .unit = "%",
     .initial = "40",
     .doc = "Values grow below this CPU usage"},
    {.name = "parameters",
     .type = KEY_LIST,
     IN_CONFIG(tuning.parameters),
     .named = true,
     .table = &tunable_table,
     .doc = "What applications ask values for"},
};

static void check_tuning(struct reader *reader, void *base)
{
    struct config *config = base;

    if (config->tuning.cpu_low_percent >= config->tuning.cpu_high_percent)
        reader_error(reader, "cpu_low", "%g is not below cpu_high %g (allowed: less than %g)",
                     config->tuning.cpu_low_percent, config->tuning.cpu_high_percent,
                     config->tuning.cpu_high_percent);
}

const struct key_table tuning_table = {KEY_TABLE(tuning_keys), .check = check_tuning};

static const struct key prediction_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(prediction.enabled),
     .initial = "true",
     .doc = "Forecast exhaustion and flag anomalies"},
    {.name = "window",
     .type = KEY_NUMBER,
     IN_CONFIG(prediction.window_seconds),
     .minimum = 60,
     .maximum = 30.0 * DAY,
     .unit = "s",
     .initial = "21600",
     .doc = "The history a forecast is drawn from"},
    {.name = "horizon",
     .type = KEY_NUMBER,
     IN_CONFIG(prediction.horizon_seconds),
     .minimum = 60,
     .maximum = YEAR,
     .unit = "s",
     .initial = "86400",
     .doc = "How far ahead it looks"},
    {.name = "confidence",
     .type = KEY_NUMBER,
     IN_CONFIG(prediction.confidence_percent),
     .minimum = 50,
     .maximum = 99.9,
     .unit = "%",
     .initial = "90",
     .doc = "Width of the interval around a forecast"},
    {.name = "anomaly_score",
     .type = KEY_NUMBER,
     IN_CONFIG(prediction.anomaly_score),
     .minimum = 0,
     .maximum = 1,
     .above_minimum = true,
     .initial = "0.9",
     .doc = "Scores from here up are anomalies"},
};

const struct key_table prediction_table = {KEY_TABLE(prediction_keys)};

static const struct key history_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(history.enabled),
     .initial = "true",
     .doc = "Keep figures in the state directory"},
    {.name = "interval",
     .type = KEY_NUMBER,
     IN_CONFIG(history.interval_seconds),
     .minimum = 1,
     .maximum = 3600,
     .unit = "s",
     .initial = "10",
     .doc = "One row per so many seconds"},
    {.name = "retention",
     .type = KEY_NUMBER,
     IN_CONFIG(history.retention_seconds),
     .minimum = 3600,
     .maximum = 10 * YEAR,
     .unit = "s",
     .initial = "604800",
     .doc = "Older rows are deleted"},
    {.name = "max_bytes",
     .type = KEY_NUMBER,
     IN_CONFIG(history.max_bytes),
     .minimum = 1 << 20,
     .maximum = 1e13,
     .unit = "bytes",
     .initial = "268435456",
     .doc = "The oldest rows make room beyond this size"},
};

const struct key_table history_table = {KEY_TABLE(history_keys)};

static const struct key privacy_keys[] = {
    {.name = "anonymize_processes",
     .type = KEY_BOOL,
     IN_CONFIG(privacy.anonymize_processes),
     .initial = "false",
     .doc = "Process names appear as a hash in logs, metrics and bodies"},
    {.name = "anonymize_addresses",
     .type = KEY_BOOL,
     IN_CONFIG(privacy.anonymize_addresses),
     .initial = "false",
     .doc = "Remote addresses appear as a hash likewise"},
};

const struct key_table privacy_table = {KEY_TABLE(privacy_keys)};

static const struct key fleet_keys[] = {
    {.name = "name",
     .type = KEY_STRING,
     IN_CONFIG(fleet.name),
     .format = &format_name,
     .doc = "This host's name among its peers (default: the host name)"},
    {.name = "labels",
     .type = KEY_MAP,
     IN_CONFIG(fleet.labels),
     .format = &format_label,
     .doc = "Labels of this host"},
    {.name = "peers",
     .type = KEY_STRINGS,
     IN_CONFIG(fleet.peers),
     .format = &format_endpoint,
     .doc = "Other agents to ask"},
    {.name = "interval",
     .type = KEY_NUMBER,
     IN_CONFIG(fleet.interval_seconds),
     .minimum = 1,
     .maximum = 3600,
     .unit = "s",
     .initial = "10",
     .doc = "How often peers are asked"},
    {.name = "token_file",
     .type = KEY_STRING,
     IN_CONFIG(fleet.token_file),
     .format = &format_path,
     .doc = "The bearer token for the peers"},
};

const struct key_table fleet_table = {KEY_TABLE(fleet_keys)};
