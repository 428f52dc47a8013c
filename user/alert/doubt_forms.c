/* Matchers whose value is written in a form that no value of the label has. */
#include "abi/record.h"
#include "alert/doubts.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>

static bool is_negative(const struct matchers *matchers, size_t index)
{
    enum matcher_operator op = matchers_operator(matchers, index);

    return op == MATCHER_NOT_EQUAL || op == MATCHER_NOT_REGEX;
}

static const char *effect(const struct matchers *matchers, size_t index)
{
    return is_negative(matchers, index) ? "excludes nothing" : "matches nothing";
}

static const char *wrong_mount(const char *value)
{
    size_t n = strlen(value);

    return n > 1 && value[n - 1] == '/' ? "no mount ends in /" : NULL;
}

static const char *wrong_unit(const char *value)
{
    static const char *const ends[] = {".service", ".scope", ".socket", ".mount", ".swap"};

    if (!*value)
        return NULL;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (text_ends(value + 1, ends[i]))
            return NULL;
    return "a unit has its type in its name, e.g. nginx.service";
}

static const char *wrong_cgroup(const char *value)
{
    return text_begins(value, CGROUP_MOUNT)
               ? "cgroups are named from their mount on, without " CGROUP_MOUNT
               : NULL;
}

/* Bytes that are no character are shown as three. */
static bool is_ascii(const char *value)
{
    while (*value && !(*value & 0x80))
        value++;
    return *value == '\0';
}

static const char *wrong_comm(const char *value)
{
    if (is_ascii(value) && strlen(value) >= COMM_BYTES)
        return "a process has a name of at most 15 bytes, which the kernel cuts";
    return value[0] == '/' ? "a process is named without its path" : NULL;
}

/* "sda", "nvme0n1"; `*ret_partition` for "sda1", "nvme0n1p1". */
static bool is_disk(const char *value, bool *ret_partition)
{
    static const char *const lettered[] = {"sd", "hd", "vd", "xvd"};
    static const char *const numbered[] = {"nvme", "mmcblk"};
    const char *at = NULL;

    for (size_t i = 0; i < sizeof(lettered) / sizeof(lettered[0]); i++)
        if (text_begins(value, lettered[i]))
            at = value + strlen(lettered[i]);
    if (at) {
        size_t letters = strspn(at, "abcdefghijklmnopqrstuvwxyz");

        *ret_partition = at[letters] != '\0';
        return letters > 0 && letters <= 3 &&
               at[letters + strspn(at + letters, "0123456789")] == '\0';
    }
    for (size_t i = 0; i < sizeof(numbered) / sizeof(numbered[0]); i++)
        if (text_begins(value, numbered[i]))
            at = value + strlen(numbered[i]);
    if (!at || !isdigit((unsigned char)*at))
        return false;
    *ret_partition = strchr(at, 'p') != NULL;
    return at[strspn(at, "0123456789np")] == '\0';
}

static const char *wrong_device(const struct config_rule *rule, const char *value)
{
    bool partition = false, disk = is_disk(value, &partition);

    if (!rule || !rule->metric)
        return NULL;
    if (text_begins(rule->metric, "moonwatch_filesystem_"))
        return disk ? "the device of a filesystem is a path, e.g. /dev/sda1" : NULL;
    if (!text_begins(rule->metric, "moonwatch_block_"))
        return NULL;
    if (text_begins(value, "/dev/"))
        return "a disk is named without /dev/, e.g. sda";
    return disk && partition ? "partitions have no figures, their disk has, e.g. sda" : NULL;
}

static const char *wrong_value(const struct config_rule *rule, const char *label, const char *value)
{
    static const struct {
        const char *label;
        const char *(*wrong)(const char *value);
    } forms[] = {{"mount", wrong_mount},
                 {"unit", wrong_unit},
                 {"cgroup", wrong_cgroup},
                 {"comm", wrong_comm}};

    if (strcmp(label, "device") == 0)
        return wrong_device(rule, value);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strcmp(label, forms[i].label) == 0)
            return forms[i].wrong(value);
    return NULL;
}

static bool any_path_is(const struct matchers *matchers, size_t index)
{
    return matchers_may_begin(matchers, index, "/") ||
           matchers_may_hold(matchers, index, "other") || matchers_may_hold(matchers, index, "");
}

/* Labels of rules are what people want them to be. */
static bool any_rule_says(const struct doubts *d, const char *name, const char *value)
{
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++) {
        const struct config_map *labels = &rule_set_at(d->plan->rules, i)->config->labels;

        for (size_t l = 0; l < labels->count; l++)
            if (strcmp(labels->items[l].key, name) == 0 &&
                strcmp(labels->items[l].value, value) == 0)
                return true;
    }
    return false;
}

static bool looks_like_pattern(const char *value)
{
    size_t n = strlen(value);

    return strpbrk(value, "*|") || strstr(value, ".+") || value[0] == '^' ||
           (n > 1 && value[n - 1] == '$');
}

/* "/srv/" with a star, as a shell has it. */
static bool looks_like_glob(const char *pattern)
{
    return strchr(pattern, '*') && !strstr(pattern, ".*") && !strpbrk(pattern, "\\[](){}+?|^$");
}

static bool doubt_glob(const struct doubts *d, const struct matchers *matchers, size_t index,
                       const char *pointer)
{
    const char *value = matchers_value(matchers, index);

    if (!looks_like_glob(value))
        return false;
    config_warning_add(d->errors, pointer,
                       "\"%.60s\" is a regular expression, where * only repeats the character "
                       "before it (allowed: .* for any characters)",
                       value);
    return true;
}

static bool doubt_pattern(const struct doubts *d, const struct matchers *matchers, size_t index,
                          const char *pointer)
{
    enum matcher_operator op = matchers_operator(matchers, index);
    const char *name = matchers_name(matchers, index), *value = matchers_value(matchers, index);

    if (op != MATCHER_EQUAL && op != MATCHER_NOT_EQUAL)
        return doubt_glob(d, matchers, index, pointer);
    if (!looks_like_pattern(value) || any_rule_says(d, name, value))
        return false;
    config_warning_add(d->errors, pointer,
                       "%s: \"%.60s\" is compared as it stands (allowed: in matchers, "
                       "%s%s\"...\" with a regular expression)",
                       effect(matchers, index), value, name, op == MATCHER_EQUAL ? "=~" : "!~");
    return true;
}

bool doubt_form(const struct doubts *d, const struct matchers *matchers, size_t index,
                const struct config_rule *rule, const char *pointer)
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
    if (doubt_pattern(d, matchers, index, pointer))
        return true;
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
    if (!value &&
        (strcmp(name, "cgroup") == 0 || matchers_operator(matchers, index) == MATCHER_NOT_EQUAL))
        value = matchers_value(matchers, index);
    if (value)
        wrong = wrong_value(rule, name, value);
    if (!wrong && !is_negative(matchers, index))
        wrong = d->known->value_hidden(d->known->ctx, name, matchers_value(matchers, index));
    if (wrong)
        config_warning_add(d->errors, pointer, "%s with %s \"%.60s\": %s", effect(matchers, index),
                           name, matchers_value(matchers, index), wrong);
    return wrong != NULL;
}
