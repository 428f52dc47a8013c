#include "http/body.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct field thresholds_fields[] = {
    {.key = "warning_percent",
     .kind = FIELD_DOUBLE,
     .decimals = 1,
     .offset = offsetof(struct section, warning),
     .unknown = "there is no such level"},
    {.key = "critical_percent",
     .kind = FIELD_DOUBLE,
     .decimals = 1,
     .offset = offsetof(struct section, critical),
     .unknown = "there is no such level"},
};

const struct field_table thresholds_table =
    FIELD_TABLE("Thresholds", thresholds_fields,
                "Usage from which the status is degraded (warning) and unhealthy (critical).");

int body_print(struct body *ret, unsigned status, cJSON *json)
{
    char *data = json ? cJSON_PrintUnformatted(json) : NULL, *whole;
    size_t len = data ? strlen(data) : 0;

    cJSON_Delete(json);
    whole = data ? realloc(data, len + 2) : NULL;
    if (!whole) {
        free(data);
        return -ENOMEM;
    }
    /* A shell's prompt comes on a line of its own. */
    memcpy(whole + len, "\n", 2);
    *ret = (struct body){.data = whole, .len = len + 1, .status = status};
    return 0;
}

int body_render(struct body *ret, unsigned status, const struct field_table *table,
                const void *view, const void *ctx)
{
    cJSON *json = cJSON_CreateObject();
    int r = json ? fields_render(json, table, view, ctx) : -ENOMEM;

    if (r < 0) {
        cJSON_Delete(json);
        return r;
    }
    return body_print(ret, status, json);
}

static bool check_belongs(const char *check, const char *const *names)
{
    for (; *names; names++) {
        size_t n = strlen(*names);

        if (strncmp(check, *names, n) == 0 && (check[n] == '\0' || check[n] == ':'))
            return true;
    }
    return false;
}

void section_judge(struct section *ret, const struct health *health, const char *const *names,
                   const char *unjudged)
{
    size_t judged = 0;

    *ret = (struct section){.status = STATUS_HEALTHY, .warning = NAN, .critical = NAN};
    for (size_t i = 0; i < health_check_count(health); i++) {
        struct check_view check;

        health_check(health, i, &check);
        if (!check_belongs(check.name, names))
            continue;
        judged++;
        ret->status = status_worse(ret->status, check.status);
        if (check.status != STATUS_HEALTHY && *check.reason && ret->reason_count < SECTION_REASONS)
            ret->reasons[ret->reason_count++] = check.reason;
        if (isnan(ret->warning) && isnan(ret->critical)) {
            ret->warning = check.warning;
            ret->critical = check.critical;
        }
    }
    if (judged)
        return;
    ret->status = STATUS_UNKNOWN;
    ret->reasons[ret->reason_count++] = unjudged;
}
