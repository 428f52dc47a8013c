/* Which labels the alerts of a rule have, so that a sentence that names another one is refused
 * before it is sent. */
#include "alert/rule_table.h"
#include "model/metric.h"
#include <string.h>

#define NAMES_MAX 6

struct row {
    const char *names[NAMES_MAX];
};

static const struct row events[RULE_EVENT_COUNT] = {
    [RULE_EVENT_CRASH] = {{"event", "comm", "cgroup", "unit", "signal"}},
    [RULE_EVENT_OOM] = {{"event", "comm", "cgroup", "unit"}},
    [RULE_EVENT_BREAKER] = {{"event", "upstream", "state"}},
    [RULE_EVENT_STALL] = {{"event", "comm", "cgroup", "unit"}},
    [RULE_EVENT_PROBE_SHED] = {{"event", "program", "concern"}},
    [RULE_EVENT_RECORDS_LOST] = {{"event", "type"}},
    [RULE_EVENT_CRASH_LOOP] = {{"event", "comm", "cgroup", "unit"}},
    [RULE_EVENT_SERVICE_FAILED] = {{"event", "comm", "cgroup", "unit", "status"}},
};

static const struct row degradation_row = {{"role", "name"}};
static const struct row status_row = {{"component", "check", "subject"}};

static const struct row *find_row(const struct config_rule *rule)
{
    if (rule->kind == RULE_STATUS)
        return &status_row;
    if (rule->kind == RULE_DEGRADATION)
        return &degradation_row;
    return rule->kind == RULE_EVENT ? &events[rule->event] : NULL;
}

static void add_allowed(struct text *allowed, const char *name, size_t n)
{
    if (allowed)
        text_printf(allowed, "%s%.*s", allowed->len ? ", " : "", (int)n, name);
}

static bool is_name(const char *name, const char *label, struct text *allowed)
{
    add_allowed(allowed, name, strlen(name));
    return strcmp(name, label) == 0;
}

static bool in_map(const struct config_map *map, const char *label, struct text *allowed)
{
    for (size_t i = 0; i < map->count; i++)
        if (is_name(map->items[i].key, label, allowed))
            return true;
    return false;
}

static bool in_metric(const struct metric *metric, const char *label, struct text *allowed)
{
    for (const char *at = metric->labels; *at; at += strcspn(at, " ") + 1)
        add_allowed(allowed, at, strcspn(at, " "));
    return metric_has_label(metric, label);
}

bool rule_source_has_label(const struct config_rule *rule, const char *label, struct text *allowed)
{
    const struct row *row = find_row(rule);
    struct metric metric;

    if (rule->metric)
        return !metric_find(rule->metric, &metric) || in_metric(&metric, label, allowed);
    /* A detector's labels are its own business. */
    if (!row)
        return true;
    for (size_t i = 0; i < NAMES_MAX && row->names[i]; i++)
        if (is_name(row->names[i], label, allowed))
            return true;
    return false;
}

struct label_search {
    const char *label;
    bool found;
};

static void look_at_metric(void *ctx, const struct metric *metric)
{
    struct label_search *search = ctx;

    search->found |= metric_has_label(metric, search->label);
}

static bool row_has(const struct row *row, const char *label)
{
    for (size_t i = 0; i < NAMES_MAX && row->names[i]; i++)
        if (strcmp(row->names[i], label) == 0)
            return true;
    return false;
}

bool label_is_known(const char *label)
{
    struct label_search search = {.label = label};

    search.found = row_has(&degradation_row, label) || row_has(&status_row, label);
    for (size_t i = 0; i < RULE_EVENT_COUNT; i++)
        search.found |= row_has(&events[i], label);
    metric_each(look_at_metric, &search);
    return search.found;
}

bool rule_has_label(const struct config_rule *rule, const char *label, struct text *allowed)
{
    bool absent = rule->kind == RULE_ABSENT;

    /* An absent series has the labels it should have had. */
    return (!absent && rule_source_has_label(rule, label, allowed)) ||
           is_name("alertname", label, allowed) || is_name("severity", label, allowed) ||
           in_map(&rule->labels, label, allowed) ||
           (absent && in_map(&rule->match, label, allowed));
}
