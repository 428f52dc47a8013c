/* Matchers that match nothing there can be. */
#include "alert/doubts.h"
#include "alert/rule_table.h"
#include "base/text.h"
#include "health/health.h"
#include <string.h>

static bool has_label(const struct config_rule *rule, const char *name,
                      bool (*has_fn)(const struct config_rule *rule, const char *label,
                                     struct text *allowed))
{
    struct text allowed;
    bool has;

    text_init(&allowed, 1024);
    has = has_fn(rule, name, &allowed);
    text_free(&allowed);
    return has;
}

static bool any_rule_has_label(const struct doubts *d, const char *name)
{
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++)
        if (has_label(rule_set_at(d->plan->rules, i)->config, name, rule_has_label))
            return true;
    return false;
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

static bool any_check_is(const struct matchers *matchers, size_t index)
{
    const char *name;

    for (size_t i = 0; (name = health_check_name(i)); i++)
        if (matchers_may_hold(matchers, index, name))
            return true;
    return matchers_may_hold(matchers, index, "");
}

/* How the values of a label are written; what is not cannot be met. */
static const char *wrong_form(const char *label, const char *value)
{
    static const char *const ends[] = {".service", ".scope", ".socket", ".mount", ".swap"};
    size_t n = strlen(value);

    if (n > 1 && value[n - 1] == '/' && strcmp(label, "mount") == 0)
        return "no mount ends in /";
    if (n == 0 || strcmp(label, "unit") != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (n > strlen(ends[i]) && strcmp(value + n - strlen(ends[i]), ends[i]) == 0)
            return NULL;
    return "a unit has its type in its name, e.g. nginx.service";
}

static bool any_path_is(const struct matchers *matchers, size_t index)
{
    return matchers_may_begin(matchers, index, "/") ||
           matchers_may_hold(matchers, index, "other") || matchers_may_hold(matchers, index, "");
}

/* What can be told from the matchers alone. */
static bool doubt_forms(const struct doubts *d, const struct matchers *matchers, size_t index,
                        const char *pointer)
{
    const char *name = matchers_name(matchers, index), *wrong = NULL;
    const char *value = matchers_only_value(matchers, index);

    if (matchers_exclude_all(matchers, index)) {
        config_warning_add(d->errors, pointer,
                           "matches nothing: no value of \"%s\" is what all the matchers of it "
                           "want",
                           name);
        return true;
    }
    if (strcmp(name, "cgroup") == 0 && !any_path_is(matchers, index)) {
        config_warning_add(d->errors, pointer,
                           "matches nothing: the path of a cgroup begins with \"/\", as in "
                           "/proc/PID/cgroup");
        return true;
    }
    if (strcmp(name, "mount") == 0 && !any_path_is(matchers, index)) {
        config_warning_add(d->errors, pointer, "matches nothing: a mount begins with \"/\"");
        return true;
    }
    if (value)
        wrong = wrong_form(name, value);
    if (wrong)
        config_warning_add(d->errors, pointer, "matches nothing with %s \"%.60s\": %s", name, value,
                           wrong);
    return wrong != NULL;
}

static void doubt_label(const struct doubts *d, const struct matchers *matchers, size_t index,
                        const struct config_rule *rule, const char *pointer)
{
    const char *name = matchers_name(matchers, index);
    bool has = rule ? has_label(rule, name, rule_source_has_label) : any_rule_has_label(d, name);

    if (has || matchers_may_hold(matchers, index, ""))
        return;
    if (rule && rule->metric)
        config_warning_add(d->errors, pointer, "matches nothing: %s has no label \"%s\"",
                           rule->metric, name);
    else
        config_warning_add(d->errors, pointer, "matches nothing: no alert %shas a label \"%s\"",
                           rule ? "of this kind " : "", name);
}

void doubt_matchers(const struct doubts *d, const struct matchers *matchers,
                    const struct config_rule *rule, const char *pointer)
{
    for (size_t i = 0; i < matchers_count(matchers); i++) {
        const char *name = matchers_name(matchers, i);

        if (doubt_forms(d, matchers, i, pointer))
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
            if (!any_check_is(matchers, i))
                config_warning_add(
                    d->errors, pointer,
                    "matches nothing: no health check has such a name (see the label "
                    "`check` of moonwatch_health_check_severity in GET /metrics)");
        } else {
            doubt_label(d, matchers, i, rule, pointer);
        }
    }
}
