/* Matchers for a value that the label never has, where all values that it has are known. */
#include "abi/exit.h"
#include "alert/doubts.h"
#include "alert/rule_table.h"
#include "base/text.h"
#include "model/breaker_names.h"
#include "model/component.h"
#include "model/scheduler.h"
#include <stdio.h>
#include <string.h>

#define KNOWN_BYTES 256
#define VALUES_MAX 4
/* Looking up the labels of a rule takes as long as so many values. */
#define RULE_VALUES 32

struct search {
    struct doubts_state *state;
    const struct matchers *matchers;
    size_t index;
    bool may_hold;
    struct text known;
};

/* Whether so many more may be tried; else nothing is doubted. */
static bool count(struct search *s, unsigned values)
{
    if (s->state->values_tried >= DOUBT_VALUES_MAX)
        s->may_hold = true;
    else
        s->state->values_tried += values;
    return !s->may_hold;
}

static void try_value(struct search *s, const char *value)
{
    if (!count(s, 1))
        return;
    s->may_hold |= matchers_may_hold(s->matchers, s->index, value);
    text_printf(&s->known, "%s%s", s->known.len ? ", " : "", value);
}

static void try_components(struct search *s)
{
    for (int i = 0; i < COMPONENT_COUNT; i++)
        try_value(s, component_name((enum component)i));
}

static void try_events(struct search *s)
{
    for (int i = 0; i < RULE_EVENT_COUNT; i++)
        try_value(s, rule_event_text((enum rule_event)i));
}

static void try_signals(struct search *s)
{
    char name[16];

    for (int i = 1; i < 64; i++) {
        if (!exit_is_crash((__u32)i, 0))
            continue;
        snprintf(name, sizeof(name), "SIG%s", sigabbrev_np(i));
        try_value(s, name);
    }
}

static void try_states(struct search *s)
{
    for (int i = 0; i < BREAKER_STATE_COUNT; i++)
        try_value(s, breaker_state_name((enum breaker_state)i));
}

static void try_classes(struct search *s)
{
    for (int i = 0; i < PRIORITY_CLASS_COUNT; i++)
        try_value(s, priority_class_name((enum priority_class)i));
}

struct row {
    const char *label;
    const char *metrics; /* how their names begin; NULL: it is a label of events and checks */
    void (*fn)(struct search *s);
    const char *values[VALUES_MAX];
};

static const struct row rows[] = {
    {"component", NULL, try_components, {NULL}},
    {"event", NULL, try_events, {NULL}},
    {"signal", NULL, try_signals, {NULL}},
    {"state", NULL, try_states, {NULL}},
    {"role", NULL, NULL, {"service", "upstream"}},
    {"component", "moonwatch_health_component_", try_components, {NULL}},
    {"class", "moonwatch_run_queue_", try_classes, {NULL}},
    {"resource", "moonwatch_pressure_", NULL, {"cpu", "io", "memory"}},
    {"share", "moonwatch_pressure_", NULL, {"some", "full"}},
    {"window", "moonwatch_pressure_", NULL, {"10s", "60s", "300s"}},
};

static bool is_about(const struct row *row, const char *label, const struct config_rule *rule)
{
    const char *metric = rule ? rule->metric : NULL;

    if (strcmp(row->label, label) != 0 || !row->metrics != !metric)
        return false;
    return !metric || text_begins(metric, row->metrics);
}

static bool try_row(struct search *s, const char *label, const struct config_rule *rule)
{
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        if (!is_about(&rows[r], label, rule))
            continue;
        if (rows[r].fn)
            rows[r].fn(s);
        for (size_t i = 0; i < VALUES_MAX && rows[r].values[i]; i++)
            try_value(s, rows[r].values[i]);
        return true;
    }
    return false;
}

/* Upstreams are called the same wherever they have a label. */
static bool try_upstreams(struct search *s, const struct doubts *d, const char *label)
{
    if (strcmp(label, "upstream") != 0 || d->config->upstreams.count == 0)
        return false;
    for (size_t i = 0; i < d->config->upstreams.count; i++)
        try_value(s, d->config->upstreams.items[i].name);
    return true;
}

static void try_pairs(struct search *s, const struct config_map *map, const char *label)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->items[i].key, label) == 0)
            try_value(s, map->items[i].value);
}

/* What rules give their alerts. False: an alert may have the label from what its rule looks at,
 * which is in no table here. */
static bool try_rules(struct search *s, const struct doubts *d, const char *label, bool in_table)
{
    bool known = label_is_known(label);

    if (known && !in_table)
        return false;
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++) {
        const struct config_rule *rule = rule_set_at(d->plan->rules, i)->config;

        if (!count(s, known ? RULE_VALUES : 1) ||
            (known && rule->metric && rule_source_has_label(rule, label, NULL)))
            return false;
        try_pairs(s, &rule->labels, label);
        if (rule->kind == RULE_ABSENT)
            try_pairs(s, &rule->match, label);
    }
    return true;
}

static bool all_are_known(struct search *s, const struct doubts *d, const char *label,
                          const struct config_rule *rule)
{
    bool in_table = try_upstreams(s, d, label) || try_row(s, label, rule);

    return rule ? in_table : try_rules(s, d, label, in_table);
}

bool doubt_value(const struct doubts *d, const struct matchers *matchers, size_t index,
                 const struct config_rule *rule, const char *pointer)
{
    const char *label = matchers_name(matchers, index);
    struct search s = {.state = d->state, .matchers = matchers, .index = index};
    bool wrong;

    text_init(&s.known, KNOWN_BYTES);
    s.may_hold = matchers_may_hold(matchers, index, "");
    wrong = all_are_known(&s, d, label, rule) && !s.may_hold;
    if (wrong)
        config_warning_add(d->errors, pointer,
                           "matches nothing: \"%s\" never is \"%.60s\" (allowed: %s)", label,
                           matchers_value(matchers, index), s.known.data);
    text_free(&s.known);
    return wrong;
}
