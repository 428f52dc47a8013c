#include "alert/recording_column.h"
#include "alert/matcher_parse.h"
#include "alert/rule.h"
#include "base/array.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_label(struct recording_column *column, const char *name, const char *value)
{
    struct label *label;

    if (!ARRAY_GROW(column->labels, column->label_capacity, column->label_count + 1))
        return -ENOMEM;
    label = &column->labels[column->label_count++];
    *label = (struct label){strdup(name), strdup(value)};
    return label->name && label->value ? 0 : -ENOMEM;
}

/* "{a="b",c="d"}", or nothing. */
static int parse_labels(struct recording_column *column, const char *text, const char *header,
                        char error[RECORDING_ERROR_BYTES])
{
    const char *at = text + 1;
    struct matcher_text one;
    char why[MATCHER_ERROR_BYTES];
    int r = 0;

    if (!*text)
        return 0;
    do {
        r = matcher_parse_one(&one, &at, text, why);
        if (r < 0) {
            snprintf(error, RECORDING_ERROR_BYTES, "%.60s: labels: %.100s", header, why);
            return r;
        }
        if (one.op != MATCHER_EQUAL || column->label_count == LABELS_MAX) {
            snprintf(error, RECORDING_ERROR_BYTES, "%.60s: labels are {NAME=\"VALUE\",...}",
                     header);
            return -EINVAL;
        }
        r = add_label(column, one.name, one.value);
    } while (r == 0 && *at == ',' && at++);
    if (r == 0 && strcmp(at, "}") != 0) {
        snprintf(error, RECORDING_ERROR_BYTES, "%.60s: the labels do not end with }", header);
        return -EINVAL;
    }
    return r;
}

/* "check:NAME" or "check:NAME:SUBJECT". */
static int parse_check(struct recording_column *column, const char *name, check_name_fn *check_name,
                       char error[RECORDING_ERROR_BYTES])
{
    const char *colon = strchr(name, ':'), *known;
    char check[64];
    size_t i = 0;
    int r;

    snprintf(check, sizeof(check), "%.*s", (int)(colon ? colon - name : (long)strlen(name)), name);
    while ((known = check_name(i)) && strcmp(known, check) != 0)
        i++;
    if (!known) {
        snprintf(error, RECORDING_ERROR_BYTES,
                 "check:%.60s: there is no such check (see the label `check` of "
                 "moonwatch_health_check_severity in GET /metrics)",
                 name);
        return -EINVAL;
    }
    column->kind = COLUMN_CHECK;
    r = add_label(column, "check", check);
    return r == 0 && colon ? add_label(column, "subject", colon + 1) : r;
}

static int parse_event(struct recording_column *column, const char *name, const char *header,
                       char error[RECORDING_ERROR_BYTES])
{
    const char *end = name + strcspn(name, "{");

    column->kind = COLUMN_EVENT;
    for (int e = 0; e < RULE_EVENT_COUNT; e++) {
        const char *known = rule_event_text((enum rule_event)e);
        int r;

        if (strlen(known) != (size_t)(end - name) || strncmp(known, name, strlen(known)) != 0)
            continue;
        column->event = (enum rule_event)e;
        r = add_label(column, "event", known);
        return r == 0 ? parse_labels(column, end, header, error) : r;
    }
    snprintf(error, RECORDING_ERROR_BYTES,
             "%.60s: there is no such event (allowed: crash, oom, breaker, stall, probe_shed, "
             "records_lost, crash_loop, service_failed)",
             header);
    return -EINVAL;
}

int recording_column_parse(struct recording_column *ret, const char *header,
                           check_name_fn *check_name, char error[RECORDING_ERROR_BYTES])
{
    size_t n = strcspn(header, "{");

    *ret = (struct recording_column){.kind = COLUMN_METRIC};
    if (strncmp(header, "check:", 6) == 0)
        return parse_check(ret, header + 6, check_name, error);
    if (strncmp(header, "event:", 6) == 0)
        return parse_event(ret, header + 6, header, error);
    if (n == 0) {
        snprintf(error, RECORDING_ERROR_BYTES, "a column without a name");
        return -EINVAL;
    }
    ret->metric = strndup(header, n);
    return ret->metric ? parse_labels(ret, header + n, header, error) : -ENOMEM;
}

void recording_column_release(struct recording_column *column)
{
    for (size_t i = 0; i < column->label_count; i++) {
        free((char *)column->labels[i].name);
        free((char *)column->labels[i].value);
    }
    free(column->labels);
    free(column->metric);
}
