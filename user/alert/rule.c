#include "alert/rule.h"
#include "alert/rule_table.h"
#include "alert/template.h"
#include "base/clock.h"
#include "base/names.h"
#include "config/choices.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule_set {
    size_t count, metric_count;
    struct rule *list;
    struct rule **by_metric; /* sorted by the metric's name */
};

const char *severity_text(enum severity s)
{
    return name_at(severity_names, SEVERITY_COUNT, s);
}

const char *rule_kind_text(enum rule_kind k)
{
    return name_at(rule_kind_names, RULE_KIND_COUNT, k);
}

const char *rule_event_text(enum rule_event e)
{
    return name_at(rule_event_names, RULE_EVENT_COUNT, e);
}

static bool label_known(void *ctx, const char *label, struct text *allowed)
{
    return rule_has_label(ctx, label, allowed);
}

/* `index` is the place in the configuration; the built-in ones, which come last, have none. */
static int compile(struct rule *rule, const struct config_rule *config, size_t index, bool built_in,
                   struct config_errors *errors)
{
    char error[TEMPLATE_ERROR_BYTES], pointer[96];
    size_t bad = 0;
    int r;

    *rule = (struct rule){
        .config = config,
        .for_ns = (int64_t)clock_ns_of_seconds(config->for_seconds),
        .keep_ns = (int64_t)clock_ns_of_seconds(config->keep_firing_for_seconds),
        .within_ns = (int64_t)clock_ns_of_seconds(config->within_seconds),
        .built_in = built_in,
    };
    r = matchers_create(&rule->match, &config->match, &config->matchers, &bad, error);
    if (r == -EINVAL) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/rules/%zu/matchers/%zu", index, bad);
        config_error_add(errors, pointer, "rule %s: %s", config->name, error);
    }
    if (r < 0)
        return r;
    if (!config->summary ||
        template_check(config->summary, label_known, (void *)config, error) == 0)
        return 0;
    snprintf(pointer, sizeof(pointer), "/alert_manager/rules/%zu/summary", index);
    config_error_add(errors, pointer, "rule %s: %s", config->name, error);
    return -EINVAL;
}

static bool is_configured(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->alert_manager.rules.count; i++)
        if (strcmp(config->alert_manager.rules.items[i].name, name) == 0)
            return true;
    return false;
}

static int by_metric(const void *a, const void *b)
{
    const struct rule *left = *(struct rule *const *)a, *right = *(struct rule *const *)b;

    return strcmp(left->config->metric, right->config->metric);
}

static void index_metrics(struct rule_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].config->metric)
            set->by_metric[set->metric_count++] = &set->list[i];
    qsort(set->by_metric, set->metric_count, sizeof(struct rule *), by_metric);
}

int rule_set_create(struct rule_set **ret, const struct config *config,
                    struct config_errors *errors)
{
    size_t configured = config->alert_manager.rules.count;
    struct rule_set *set = calloc(1, sizeof(*set));
    int r = 0, first = 0;

    if (!set)
        return -ENOMEM;
    set->list = calloc(configured + built_in_rule_count, sizeof(*set->list));
    set->by_metric = calloc(configured + built_in_rule_count, sizeof(struct rule *));
    if (!set->list || !set->by_metric)
        first = -ENOMEM;
    for (size_t i = 0; first != -ENOMEM && i < configured + built_in_rule_count; i++) {
        bool built_in = i >= configured;
        const struct config_rule *from =
            built_in ? &built_in_rules[i - configured] : &config->alert_manager.rules.items[i];

        if (!from->enabled || (built_in && is_configured(config, from->name)))
            continue;
        r = compile(&set->list[set->count++], from, i, built_in, errors);
        if (first == 0 || r == -ENOMEM)
            first = r;
    }
    if (first < 0) {
        rule_set_destroy(set);
        return first;
    }
    index_metrics(set);
    *ret = set;
    return 0;
}

void rule_set_destroy(struct rule_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; set->list && i < set->count; i++)
        matchers_destroy(set->list[i].match);
    free(set->list);
    free(set->by_metric);
    free(set);
}

size_t rule_set_count(const struct rule_set *set)
{
    return set->count;
}

struct rule *rule_set_at(const struct rule_set *set, size_t index)
{
    return &set->list[index];
}

struct rule *rule_set_find(const struct rule_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->list[i].config->name, name) == 0)
            return &set->list[i];
    return NULL;
}

struct rule *const *rule_set_of_metric(const struct rule_set *set, const char *metric,
                                       size_t *ret_count)
{
    size_t low = 0, high = set->metric_count, end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(set->by_metric[middle]->config->metric, metric) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    end = low;
    while (end < set->metric_count && strcmp(set->by_metric[end]->config->metric, metric) == 0)
        end++;
    *ret_count = end - low;
    return set->by_metric + low;
}

enum verdict rule_judge_sample(const struct rule *rule, const struct sample *sample)
{
    const struct config_rule *config = rule->config;
    double clear;

    if (!matchers_may_match_pairs(rule->match, sample->labels, sample->label_count))
        return VERDICT_NO;
    if (isnan(sample->value))
        return VERDICT_UNKNOWN;
    if (config->kind == RULE_ABSENT)
        return VERDICT_IDLE;
    if (!isnan(config->above)) {
        clear = isnan(config->clear) ? config->above : config->clear;
        return sample->value > config->above ? VERDICT_ACTIVE
               : sample->value > clear       ? VERDICT_KEEP
                                             : VERDICT_IDLE;
    }
    clear = isnan(config->clear) ? config->below : config->clear;
    return sample->value < config->below ? VERDICT_ACTIVE
           : sample->value < clear       ? VERDICT_KEEP
                                         : VERDICT_IDLE;
}

enum verdict rule_judge_condition(const struct rule *rule, const struct alert_condition *condition)
{
    if (condition->kind != rule->config->kind ||
        !matchers_may_match_pairs(rule->match, condition->labels, condition->label_count))
        return VERDICT_NO;
    switch (condition->status) {
    case STATUS_UNHEALTHY:
        return VERDICT_ACTIVE;
    case STATUS_DEGRADED:
        return rule->config->only_unhealthy ? VERDICT_IDLE : VERDICT_ACTIVE;
    case STATUS_HEALTHY:
        return VERDICT_IDLE;
    default:
        return VERDICT_UNKNOWN;
    }
}

bool rule_takes_event(const struct rule *rule, const struct alert_event *event)
{
    return rule->config->kind == RULE_EVENT && rule->config->event == event->event &&
           matchers_may_match_pairs(rule->match, event->labels, event->label_count);
}

enum severity rule_severity(const struct rule *rule, enum status status)
{
    return rule->config->kind == RULE_STATUS && status == STATUS_UNHEALTHY ? SEVERITY_CRITICAL
                                                                           : rule->config->severity;
}
