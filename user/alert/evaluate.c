/* Rules over the input: which alerts are active in this tick. */
#include "alert/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX (2 * LABELS_MAX + 1)

struct candidate {
    struct rule *rule;
    const struct label *labels;
    size_t label_count;
    enum verdict verdict;
    enum severity severity;
    double value;
    const char *reason;
};

/* Of the series, then of the rule, then the name, of which the later ones count. */
static struct labels *labels_of(const struct candidate *c)
{
    const struct config_rule *config = c->rule->config;
    struct label pairs[PAIRS_MAX];
    struct labels *labels = NULL;
    size_t n = 0;

    if (c->label_count > LABELS_MAX || config->labels.count > LABELS_MAX)
        return NULL;
    for (size_t i = 0; i < c->label_count; i++)
        pairs[n++] = c->labels[i];
    for (size_t i = 0; i < config->labels.count; i++)
        pairs[n++] = (struct label){config->labels.items[i].key, config->labels.items[i].value};
    pairs[n++] = (struct label){"alertname", config->name};
    return labels_create(&labels, pairs, n) < 0 ? NULL : labels;
}

/* What is said goes with how severe it is. */
static void activate(struct alert_manager *m, struct alert *alert, const struct candidate *c)
{
    bool changed = alert->severity != c->severity;

    annotate_set_reason(alert, c->reason);
    registry_set_severity(m, alert, c->severity);
    if (alert->state == ALERT_FIRING) {
        m->counters.deduplicated++;
        if (changed)
            annotate_again(m, alert);
    } else {
        annotate_take_reason(alert);
    }
    if (alert->state == ALERT_RESOLVED) {
        m->revision++;
        alert->state = ALERT_PENDING;
        alert->active_since = m->now;
    }
    if (alert->active_since == NEVER)
        alert->active_since = m->now;
    alert->last_active = m->now;
}

/* NULL when the candidate is no alert, or there is no room for it. */
static struct alert *find_alert(struct alert_manager *m, const struct candidate *c, bool create)
{
    struct labels *labels;
    struct alert *alert;

    m->counters.evaluated++;
    if (!create && c->rule->alert_count == 0)
        return NULL;
    labels = labels_of(c);
    if (!labels)
        return NULL;
    alert = registry_find(m, labels);
    if (!alert && create)
        alert = registry_add(m, c->rule, labels, c->severity);
    labels_unref(labels);
    /* Of a rule that was gone for a while. */
    if (alert && !alert->rule) {
        alert->rule = c->rule;
        c->rule->alert_count++;
    }
    return alert;
}

static void take(struct alert_manager *m, const struct candidate *c)
{
    struct alert *alert = find_alert(m, c, c->verdict == VERDICT_ACTIVE);

    if (!alert || c->verdict == VERDICT_UNKNOWN)
        return;
    alert->last_seen = m->now;
    alert->value = c->value;
    if (c->verdict == VERDICT_ACTIVE ||
        (c->verdict == VERDICT_KEEP && alert->state == ALERT_FIRING))
        activate(m, alert, c);
}

static void take_sample(struct alert_manager *m, const struct sample *sample)
{
    size_t count;
    struct rule *const *rules = rule_set_of_metric(m->plan->rules, sample->metric, &count);

    for (size_t i = 0; i < count; i++) {
        struct candidate c = {
            .rule = rules[i],
            .labels = sample->labels,
            .label_count = sample->label_count,
            .severity = rules[i]->config->severity,
            .value = sample->value,
        };

        if (rules[i]->config->kind != RULE_THRESHOLD)
            continue;
        c.verdict = rule_judge_sample(rules[i], sample);
        if (c.verdict != VERDICT_NO)
            take(m, &c);
    }
}

static void take_condition(struct alert_manager *m, struct rule *rule,
                           const struct alert_condition *condition)
{
    const struct candidate c = {
        .rule = rule,
        .labels = condition->labels,
        .label_count = condition->label_count,
        .verdict = rule_judge_condition(rule, condition),
        .severity = rule_severity(rule, condition->status),
        .value = condition->value,
        .reason = condition->reason,
    };

    if (c.verdict != VERDICT_NO)
        take(m, &c);
}

static size_t recent_events(const struct alert_manager *m, const struct alert *alert)
{
    size_t count = 0;

    while (count < RULE_COUNT_MAX && alert->events[count] != NEVER &&
           m->now - alert->events[count] < alert->rule->within_ns)
        count++;
    return count;
}

static void take_event(struct alert_manager *m, struct rule *rule, const struct alert_event *event)
{
    const struct candidate c = {
        .rule = rule,
        .labels = event->labels,
        .label_count = event->label_count,
        .verdict = VERDICT_ACTIVE,
        .severity = rule->config->severity,
        .value = event->value,
        .reason = event->reason,
    };
    struct alert *alert = find_alert(m, &c, true);

    if (!alert)
        return;
    memmove(alert->events + 1, alert->events, (RULE_COUNT_MAX - 1) * sizeof(alert->events[0]));
    alert->events[0] = m->now;
    m->revision++;
    alert->last_seen = m->now;
    alert->value = event->value;
    if (alert->state == ALERT_FIRING || recent_events(m, alert) >= rule->config->count) {
        activate(m, alert, &c);
    } else {
        annotate_set_reason(alert, event->reason);
        annotate_take_reason(alert);
    }
}

/* An absent series has the labels that the rule asks for. */
static void take_absence(struct alert_manager *m, struct rule *rule)
{
    struct label pairs[LABELS_MAX];
    struct candidate c = {
        .rule = rule,
        .labels = pairs,
        .verdict = VERDICT_ACTIVE,
        .severity = rule->config->severity,
        .value = NAN,
    };

    for (size_t i = 0; i < rule->config->match.count && i < LABELS_MAX; i++)
        pairs[c.label_count++] =
            (struct label){rule->config->match.items[i].key, rule->config->match.items[i].value};
    for (size_t i = 0; i < m->input->sample_count; i++) {
        const struct sample *sample = &m->input->samples[i];

        if (strcmp(sample->metric, rule->config->metric) == 0 &&
            rule_judge_sample(rule, sample) == VERDICT_IDLE) {
            c.verdict = VERDICT_IDLE;
            break;
        }
    }
    if (c.verdict == VERDICT_ACTIVE && m->input->no_rates_yet)
        c.verdict = VERDICT_UNKNOWN;
    take(m, &c);
}

void evaluate_input(struct alert_manager *m)
{
    const struct alert_input *input = m->input;

    for (size_t i = 0; i < input->sample_count; i++)
        take_sample(m, &input->samples[i]);
    for (size_t r = 0; r < rule_set_count(m->plan->rules); r++) {
        struct rule *rule = rule_set_at(m->plan->rules, r);

        for (size_t i = 0; i < input->condition_count; i++)
            take_condition(m, rule, &input->conditions[i]);
        for (size_t i = 0; i < input->event_count; i++)
            if (rule_takes_event(rule, &input->events[i]))
                take_event(m, rule, &input->events[i]);
        if (rule->config->kind == RULE_ABSENT)
            take_absence(m, rule);
    }
}
