/* alert_manager.rules[], and the files of rules_directory. */
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <math.h>
#include <string.h>

#define DAY 86400

static const char *const later_kinds[] = {"anomaly", "forecast", NULL};

#define IN_RULE(member) .offset = offsetof(struct config_rule, member)

static const struct key rule_keys[] = {
    {.name = "name",
     .type = KEY_STRING,
     IN_RULE(name),
     .format = &format_name,
     .required = true,
     .doc = "What the alert is called"},
    {.name = "enabled",
     .type = KEY_BOOL,
     IN_RULE(enabled),
     .initial = "true",
     .doc = "Watch this rule; false, with nothing but a name, switches off a rule that is built "
            "in"},
    {.name = "kind",
     .type = KEY_CHOICE,
     IN_RULE(kind),
     .choices = rule_kind_names,
     .later_choices = later_kinds,
     .initial = "\"threshold\"",
     .doc = "What is watched: a metric's level, a health check's status, events, the findings of a "
            "detector, or that a metric has no series"},
    {.name = "metric",
     .type = KEY_STRING,
     IN_RULE(metric),
     .format = &format_metric,
     .doc = "threshold, absent: the metric as in /metrics"},
    {.name = "match",
     .type = KEY_MAP,
     IN_RULE(match),
     .format = &format_label,
     .doc = "Labels that the series, check, event or finding must have"},
    {.name = "matchers",
     .type = KEY_STRINGS,
     IN_RULE(matchers),
     .format = &format_text,
     .doc = "Matchers that must hold too, as `mount!~\"/run.*\"`"},
    {.name = "above",
     .type = KEY_NUMBER,
     IN_RULE(above),
     .minimum = -1e18,
     .maximum = 1e18,
     .doc = "threshold: fires above this level"},
    {.name = "below",
     .type = KEY_NUMBER,
     IN_RULE(below),
     .minimum = -1e18,
     .maximum = 1e18,
     .doc = "threshold: fires below this level; either this or `above`"},
    {.name = "clear",
     .type = KEY_NUMBER,
     IN_RULE(clear),
     .minimum = -1e18,
     .maximum = 1e18,
     .doc = "threshold: resolves when back at this level (default: the level itself)"},
    {.name = "event",
     .type = KEY_CHOICE,
     IN_RULE(event),
     .choices = rule_event_names,
     .initial = "\"crash\"",
     .doc = "event: which"},
    {.name = "count",
     .type = KEY_WHOLE,
     IN_RULE(count),
     .minimum = 1,
     .maximum = RULE_COUNT_MAX,
     .initial = "1",
     .doc = "event: fires when there were so many with the same labels ..."},
    {.name = "within",
     .type = KEY_NUMBER,
     IN_RULE(within_seconds),
     .minimum = 1,
     .maximum = DAY,
     .unit = "s",
     .initial = "300",
     .doc = "event: ... within this time"},
    {.name = "only_unhealthy",
     .type = KEY_BOOL,
     IN_RULE(only_unhealthy),
     .initial = "false",
     .doc = "status: degraded is not enough"},
    {.name = "for",
     .type = KEY_NUMBER,
     IN_RULE(for_seconds),
     .minimum = 0,
     .maximum = DAY,
     .unit = "s",
     .doc = "How long it has to last (default: 60 for threshold and absent, else 0)"},
    {.name = "keep_firing_for",
     .type = KEY_NUMBER,
     IN_RULE(keep_firing_for_seconds),
     .minimum = 0,
     .maximum = DAY,
     .unit = "s",
     .doc = "How long it goes on firing when it is over (default: 300 for event, else 0)"},
    {.name = "severity",
     .type = KEY_CHOICE,
     IN_RULE(severity),
     .choices = severity_names,
     .initial = "\"warning\"",
     .doc = "How bad it is; a status that is unhealthy is critical"},
    {.name = "summary",
     .type = KEY_STRING,
     IN_RULE(summary),
     .doc = "One sentence for people; {{ $labels.NAME }}, {{ $value }} and {{ $reason }} stand for "
            "what they say"},
    {.name = "labels",
     .type = KEY_MAP,
     IN_RULE(labels),
     .format = &format_label,
     .doc = "Labels the alert gets"},
};

/* A key that the kind does not use is a mistake, e.g. a level for an event. */
static void check_uses(struct reader *reader, const struct config_rule *rule)
{
    static const struct {
        const char *key;
        unsigned kinds;
    } uses[] = {
        {"metric", 1 << RULE_THRESHOLD | 1 << RULE_ABSENT},
        {"above", 1 << RULE_THRESHOLD},
        {"below", 1 << RULE_THRESHOLD},
        {"clear", 1 << RULE_THRESHOLD},
        {"event", 1 << RULE_EVENT},
        {"count", 1 << RULE_EVENT},
        {"within", 1 << RULE_EVENT},
        {"only_unhealthy", 1 << RULE_STATUS},
    };

    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        if (reader_has(reader, uses[i].key) && !(uses[i].kinds & 1u << rule->kind))
            reader_error(reader, uses[i].key, "is not used by kind %s (allowed: leave it out)",
                         rule_kind_names[rule->kind]);
    if (rule->kind == RULE_EVENT && rule->for_seconds > 0)
        reader_error(reader, "for", "%g is no use for an event, which has no duration (allowed: 0)",
                     rule->for_seconds);
    if (rule->kind == RULE_EVENT && !reader_has(reader, "event"))
        reader_error(reader, "event", "is missing (allowed: crash, oom, ...)");
    if ((uses[0].kinds & 1u << rule->kind) && !rule->metric)
        reader_error(reader, "metric", "is missing (allowed: %s)", format_metric.allowed);
}

static void check_levels(struct reader *reader, const struct config_rule *rule)
{
    bool above = !isnan(rule->above), below = !isnan(rule->below);

    if (above == below)
        reader_error(reader, "", "has %s of above and below (allowed: exactly one)",
                     above ? "both" : "none");
    else if (!isnan(rule->clear) && above && rule->clear > rule->above)
        reader_error(reader, "clear", "%g is over the level %g (allowed: at most %g)", rule->clear,
                     rule->above, rule->above);
    else if (!isnan(rule->clear) && below && rule->clear < rule->below)
        reader_error(reader, "clear", "%g is under the level %g (allowed: at least %g)",
                     rule->clear, rule->below, rule->below);
}

static void check_rule(struct reader *reader, void *base)
{
    struct config_rule *rule = base;
    bool metric = rule->kind == RULE_THRESHOLD || rule->kind == RULE_ABSENT;

    /* To switch off what is built in takes no more than its name. */
    if (!rule->enabled && cJSON_GetArraySize(reader->object) == 2)
        return;
    check_uses(reader, rule);
    if (rule->kind == RULE_THRESHOLD && rule->metric)
        check_levels(reader, rule);
    /* A series that crosses its level for one sample is no alert; a status has had its duration
     * already. An event is over at once, but somebody has to see it. */
    if (isnan(rule->for_seconds))
        rule->for_seconds = metric ? 60 : 0;
    if (isnan(rule->keep_firing_for_seconds))
        rule->keep_firing_for_seconds = rule->kind == RULE_EVENT ? 300 : 0;
}

const struct key_table rule_table = {KEY_TABLE(rule_keys), .size = sizeof(struct config_rule),
                                     .check = check_rule};

static const struct key rule_file_keys[] = {
    {.name = "rules",
     .type = KEY_LIST,
     .offset = offsetof(struct config_rule_file, rules),
     .table = &rule_table,
     .named = true,
     .required = true,
     .doc = "As alert_manager.rules"},
};

const struct key_table rule_file_table = {KEY_TABLE(rule_file_keys),
                                          .size = sizeof(struct config_rule_file)};
