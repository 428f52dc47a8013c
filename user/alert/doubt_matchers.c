/* Matchers that match nothing there can be. */
#include "alert/doubts.h"
#include "alert/rule_table.h"
#include <stdio.h>
#include <string.h>

static bool any_rule_has_label(const struct doubts *d, const char *name)
{
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++)
        if (rule_has_label(rule_set_at(d->plan->rules, i)->config, name, NULL))
            return true;
    return false;
}

/* What other rules could have is no slip. */
void doubt_group_by(const struct doubts *d, const struct config_strings *names, const char *pointer)
{
    char below[DOUBT_POINTER_BYTES + 24];

    for (size_t i = 0; i < names->count; i++) {
        if (label_is_known(names->items[i]) || any_rule_has_label(d, names->items[i]))
            continue;
        snprintf(below, sizeof(below), "%s/group_by/%zu", pointer, i);
        config_warning_add(d->errors, below, "groups nothing: no alert has a label \"%s\"",
                           names->items[i]);
    }
}

/* Where none has the label its value, which is "", is equal in all. */
void doubt_equal(const struct doubts *d, const struct config_strings *names, const char *pointer)
{
    char below[DOUBT_POINTER_BYTES + 24];

    for (size_t i = 0; i < names->count; i++) {
        if (any_rule_has_label(d, names->items[i]))
            continue;
        snprintf(below, sizeof(below), "%s/equal/%zu", pointer, i);
        config_warning_add(d->errors, below, "is equal in all: no alert has a label \"%s\"",
                           names->items[i]);
    }
}

static bool any_rule_is(const struct doubts *d, const struct matchers *matchers, size_t index)
{
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++)
        if (matchers_may_hold(matchers, index, rule_set_at(d->plan->rules, i)->config->name))
            return true;
    return false;
}

static bool any_severity_is(const struct matchers *matchers, size_t index)
{
    for (int i = 0; i < SEVERITY_COUNT; i++)
        if (matchers_may_hold(matchers, index, severity_text((enum severity)i)))
            return true;
    return false;
}

static bool any_check_is(const struct doubts *d, const struct matchers *matchers, size_t index)
{
    const char *name;

    for (size_t i = 0; (name = d->known->check_name(i)); i++)
        if (matchers_may_hold(matchers, index, name))
            return true;
    return matchers_may_hold(matchers, index, "");
}

static bool doubt_label(const struct doubts *d, const struct matchers *matchers, size_t index,
                        const struct config_rule *rule, const char *pointer)
{
    const char *name = matchers_name(matchers, index);
    bool has = rule ? rule_source_has_label(rule, name, NULL) : any_rule_has_label(d, name);

    if (has || matchers_may_hold(matchers, index, ""))
        return false;
    if (rule && rule->metric)
        config_warning_add(d->errors, pointer, "matches nothing: %s has no label \"%s\"",
                           rule->metric, name);
    else
        config_warning_add(d->errors, pointer, "matches nothing: no alert %shas a label \"%s\"",
                           rule ? "of this kind " : "", name);
    return true;
}

void doubt_matchers(const struct doubts *d, const struct matchers *matchers,
                    const struct config_rule *rule, const char *pointer)
{
    for (size_t i = 0; i < matchers_count(matchers); i++) {
        const char *name = matchers_name(matchers, i);

        if (doubt_form(d, matchers, i, rule, pointer))
            return;
        if (!rule && strcmp(name, "alertname") == 0) {
            if (!any_rule_is(d, matchers, i))
                config_warning_add(d->errors, pointer,
                                   "matches nothing: no rule that is enabled has such a name");
        } else if (!rule && strcmp(name, "severity") == 0) {
            if (!any_severity_is(matchers, i))
                config_warning_add(d->errors, pointer,
                                   "matches nothing: no severity is so called (allowed: info, "
                                   "warning, error, critical)");
        } else if (strcmp(name, "check") == 0 && !(rule && rule->metric)) {
            if (!any_check_is(d, matchers, i))
                config_warning_add(
                    d->errors, pointer,
                    "matches nothing: no health check has such a name (see the label "
                    "`check` of moonwatch_health_check_severity in GET /metrics)");
        } else if (!doubt_label(d, matchers, i, rule, pointer)) {
            doubt_value(d, matchers, i, rule, pointer);
        }
    }
}
