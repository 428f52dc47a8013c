/* alert_manager: routes, inhibition, mute windows. */
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define IN_CONFIG(member) .offset = offsetof(struct config, member)
#define DAY 86400
#define WEEK (7 * DAY)

static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

#define IN_ROUTE(member) .offset = offsetof(struct config_route, member)

static const struct key route_keys[] = {
    {.name = "match",
     .type = KEY_MAP,
     IN_ROUTE(match),
     .format = &format_label,
     .doc = "Labels the alert must have (default: every alert)"},
    {.name = "matchers",
     .type = KEY_STRINGS,
     IN_ROUTE(matchers),
     .format = &format_text,
     .doc = "Matchers that must hold too, as `severity=~\"error|critical\"`"},
    {.name = "channels",
     .type = KEY_STRINGS,
     IN_ROUTE(channels),
     .format = &format_name,
     .minimum = 1,
     .required = true,
     .doc = "Names of the channels told"},
    {.name = "escalate_to",
     .type = KEY_STRINGS,
     IN_ROUTE(escalate_to),
     .format = &format_name,
     .doc = "Names of the channels told when nobody has acknowledged it after escalation_delay"},
    {.name = "group_by",
     .type = KEY_STRINGS,
     IN_ROUTE(group_by),
     .format = &format_label,
     .doc = "Alerts with equal values of these labels go into one notification. Without: with "
            "`group_wait` all of the route, else those about the same unit, service, device, check "
            "..."},
    {.name = "group_wait",
     .type = KEY_NUMBER,
     IN_ROUTE(group_wait_seconds),
     .minimum = 0,
     .maximum = 3600,
     .unit = "s",
     .doc =
         "A new group waits so long for more alerts; one resolved meanwhile is not sent. Without: "
         "a quiet group is told at once, several in a short time together, and in a storm all of "
         "the route in one notification (CRITICAL within a minute)"},
    {.name = "group_interval",
     .type = KEY_NUMBER,
     IN_ROUTE(group_interval_seconds),
     .minimum = 1,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc =
         "The least time between notifications of a group that changes, but for what is CRITICAL "
         "or got worse. Channels of type log never wait"},
    {.name = "repeat_interval",
     .type = KEY_NUMBER,
     IN_ROUTE(repeat_interval_seconds),
     .minimum = 60,
     .maximum = WEEK,
     .unit = "s",
     .initial = "14400",
     .doc = "A group that does not change is sent again after this"},
};

static void check_route(struct reader *reader, void *base)
{
    const struct config_route *route = base;

    if (route->repeat_interval_seconds < route->group_interval_seconds)
        reader_warning(reader, "repeat_interval",
                       "%g is below group_interval %g: what does not change is told more often "
                       "than what does (allowed: at least %g)",
                       route->repeat_interval_seconds, route->group_interval_seconds,
                       route->group_interval_seconds);
    if (route->group_wait_seconds > route->group_interval_seconds)
        reader_warning(reader, "group_wait",
                       "%g is over group_interval %g: the first notification of a group waits "
                       "longer than the next (allowed: at most %g)",
                       route->group_wait_seconds, route->group_interval_seconds,
                       route->group_interval_seconds);
}

static const struct key_table route_table = {
    KEY_TABLE(route_keys), .size = sizeof(struct config_route), .check = check_route};

#define IN_INHIBIT(member) .offset = offsetof(struct config_inhibit, member)

static const struct key inhibit_keys[] = {
    {.name = "source",
     .type = KEY_MAP,
     IN_INHIBIT(source),
     .format = &format_label,
     .doc = "While an alert with these labels fires ..."},
    {.name = "target",
     .type = KEY_MAP,
     IN_INHIBIT(target),
     .format = &format_label,
     .doc = "... alerts with these labels are not sent ..."},
    {.name = "source_matchers",
     .type = KEY_STRINGS,
     IN_INHIBIT(source_matchers),
     .format = &format_text,
     .doc = "Matchers that must hold for the source too"},
    {.name = "target_matchers",
     .type = KEY_STRINGS,
     IN_INHIBIT(target_matchers),
     .format = &format_text,
     .doc = "Matchers that must hold for the target too"},
    {.name = "equal",
     .type = KEY_STRINGS,
     IN_INHIBIT(equal),
     .format = &format_label,
     .doc = "... if both have equal values of these labels"},
};

static void check_inhibit(struct reader *reader, void *base)
{
    const struct config_inhibit *inhibit = base;

    /* An empty target would silence everything. */
    if (!inhibit->source.count && !inhibit->source_matchers.count)
        reader_error(reader, "source", "is empty (allowed: at least one label)");
    if (!inhibit->target.count && !inhibit->target_matchers.count)
        reader_error(reader, "target", "is empty (allowed: at least one label)");
}

static const struct key_table inhibit_table = {
    KEY_TABLE(inhibit_keys), .size = sizeof(struct config_inhibit), .check = check_inhibit};

#define IN_MUTE(member) .offset = offsetof(struct config_mute_window, member)

static const struct key mute_window_keys[] = {
    {.name = "name",
     .type = KEY_STRING,
     IN_MUTE(name),
     .format = &format_name,
     .required = true,
     .doc = "What it is called"},
    {.name = "days",
     .type = KEY_FLAGS,
     IN_MUTE(days),
     .choices = days,
     .initial = "[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\",\"sat\",\"sun\"]",
     .doc = "The days it begins on"},
    {.name = "start",
     .type = KEY_STRING,
     IN_MUTE(start),
     .format = &format_time_of_day,
     .required = true,
     .doc = "When it begins"},
    {.name = "end",
     .type = KEY_STRING,
     IN_MUTE(end),
     .format = &format_end_time,
     .required = true,
     .doc = "When it ends; before `start`: on the next day; 24:00: with the day"},
    {.name = "utc",
     .type = KEY_BOOL,
     IN_MUTE(utc),
     .initial = "true",
     .doc = "The times are UTC, else the host's"},
    {.name = "time_zone",
     .type = KEY_STRING,
     IN_MUTE(time_zone),
     .format = &format_time_zone,
     .doc = "The times are of this zone instead; daylight saving is followed"},
    {.name = "match",
     .type = KEY_MAP,
     IN_MUTE(match),
     .format = &format_label,
     .doc = "Labels of the alerts it mutes (default: every alert)"},
    {.name = "matchers",
     .type = KEY_STRINGS,
     IN_MUTE(matchers),
     .format = &format_text,
     .doc = "Matchers that must hold too"},
};

static void check_mute_window(struct reader *reader, void *base)
{
    const struct config_mute_window *window = base;

    if (strcmp(window->start, window->end) == 0)
        reader_error(reader, "end",
                     "is the same as start (allowed: another time; 24:00 is the end of the day)");
    if (window->time_zone && reader_has(reader, "utc"))
        reader_error(reader, "time_zone", "is given together with utc (allowed: one of them)");
    if (!window->days)
        reader_error(reader, "days", "is empty (allowed: at least one day)");
}

static const struct key_table mute_window_table = {KEY_TABLE(mute_window_keys),
                                                   .size = sizeof(struct config_mute_window),
                                                   .check = check_mute_window};

static const struct key alert_manager_keys[] = {
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_CONFIG(alert_manager.enabled),
     .initial = "true",
     .environment = "ALERT_NOTIFICATIONS",
     .doc = "Send notifications"},
    {.name = "cooldown_period",
     .type = KEY_NUMBER,
     IN_CONFIG(alert_manager.cooldown_period_seconds),
     .minimum = 0,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc = "An alert that comes back within this time is not sent again, unless it is worse than "
            "before or CRITICAL"},
    {.name = "escalation_delay",
     .type = KEY_NUMBER,
     IN_CONFIG(alert_manager.escalation_delay_seconds),
     .minimum = 0,
     .maximum = WEEK,
     .unit = "s",
     .initial = "900",
     .doc = "An alert nobody has acknowledged is escalated after this; 0: never"},
    {.name = "escalation_limit",
     .type = KEY_WHOLE,
     IN_CONFIG(alert_manager.escalation_limit),
     .minimum = 0,
     .maximum = 16,
     .initial = "3",
     .doc = "How many times an alert is escalated, one severity higher each time"},
    {.name = "escalation_minimum_severity",
     .type = KEY_CHOICE,
     IN_CONFIG(alert_manager.escalation_minimum_severity),
     .choices = severity_names,
     .initial = "\"warning\"",
     .doc = "Less severe alerts are not escalated"},
    {.name = "flapping_changes",
     .type = KEY_WHOLE,
     IN_CONFIG(alert_manager.flapping_changes),
     .minimum = 2,
     .maximum = 16,
     .initial = "6",
     .doc = "An alert that fired or resolved so many times within `flapping_window` flaps: one "
            "notice, then silence until it has been stable for that time"},
    {.name = "flapping_window",
     .type = KEY_NUMBER,
     IN_CONFIG(alert_manager.flapping_window_seconds),
     .minimum = 1,
     .maximum = DAY,
     .unit = "s",
     .initial = "1800",
     .doc = "See `flapping_changes`"},
    {.name = "max_alerts_per_hour",
     .type = KEY_WHOLE,
     IN_CONFIG(alert_manager.max_alerts_per_hour),
     .minimum = 1,
     .maximum = 100000,
     .initial = "10",
     .doc = "Of each severity; no source gets more than half of what the others leave. What is "
            "beyond goes into a digest a minute later; CRITICAL is never held back"},
    {.name = "rules_directory",
     .type = KEY_STRING,
     IN_CONFIG(alert_manager.rules_directory),
     .format = &format_path,
     .doc = "More rules: its files *.json, each {\"rules\": [...]}, in the order of their names"},
    {.name = "rules",
     .type = KEY_LIST,
     IN_CONFIG(alert_manager.rules),
     .table = &rule_table,
     .named = true,
     .doc = "What is watched beside the built-in rules; one of the same name replaces those"},
    {.name = "channels",
     .type = KEY_LIST,
     IN_CONFIG(alert_manager.channels),
     .named = true,
     .table = &channel_table,
     .doc = "Who can be told"},
    {.name = "routes",
     .type = KEY_LIST,
     IN_CONFIG(alert_manager.routes),
     .table = &route_table,
     .doc = "Who is told about what; the first that matches counts"},
    {.name = "inhibit",
     .type = KEY_LIST,
     IN_CONFIG(alert_manager.inhibit),
     .table = &inhibit_table,
     .doc = "Which alerts make others needless"},
    {.name = "mute_windows",
     .type = KEY_LIST,
     IN_CONFIG(alert_manager.mute_windows),
     .table = &mute_window_table,
     .named = true,
     .doc = "When nobody wants to be told"},
};

static void check_channel_names(struct reader *reader, const struct config *config, size_t route,
                                const char *key, const struct config_strings *names)
{
    char path[64];
    size_t i, j;

    for (i = 0; i < names->count; i++) {
        for (j = 0; j < config->alert_manager.channels.count; j++)
            if (strcmp(names->items[i], config->alert_manager.channels.items[j].name) == 0)
                break;
        if (j < config->alert_manager.channels.count)
            continue;
        snprintf(path, sizeof(path), "routes/%zu/%s/%zu", route, key, i);
        reader_error(reader, path, "there is no channel \"%s\" (allowed: a name from channels)",
                     names->items[i]);
    }
}

static void check_alert_manager(struct reader *reader, void *base)
{
    const struct config *config = base;
    const struct config_route *route;
    size_t i;

    for (i = 0; i < config->alert_manager.routes.count; i++) {
        route = &config->alert_manager.routes.items[i];
        check_channel_names(reader, config, i, "channels", &route->channels);
        check_channel_names(reader, config, i, "escalate_to", &route->escalate_to);
    }
}

const struct key_table alert_manager_table = {KEY_TABLE(alert_manager_keys),
                                              .check = check_alert_manager};
