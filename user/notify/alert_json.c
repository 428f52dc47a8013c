#include "notify/alert_json.h"
#include "alert/rule.h"
#include "base/clock.h"
#include "notify/channel_driver.h"
#include <math.h>
#include <string.h>

/* `*separator` is what stands before the member. */
static void member(struct text *out, const char **separator, const char *name, const char *value)
{
    text_add(out, *separator);
    *separator = ",";
    text_add_json_string(out, name, FIELD_BYTES_MAX);
    text_add_char(out, ':');
    text_add_json_string(out, value, FIELD_BYTES_MAX);
}

static void members(struct text *out, const char **separator, const struct labels *labels)
{
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);

        member(out, separator, pair.name, pair.value);
    }
}

void alert_json_labels(const struct alert_view *alert, const char *host, struct text *out)
{
    const char *separator = "";

    text_add_char(out, '{');
    members(out, &separator, alert->labels);
    if (!*labels_get(alert->labels, "instance"))
        member(out, &separator, "instance", host);
    member(out, &separator, "severity", severity_text(alert->severity));
    text_add_char(out, '}');
}

void alert_json_annotations(const struct alert_view *alert, struct text *out)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        {"summary", alert->summary},
        {"reason", alert->reason},
        {"offenders", alert->offenders},
        {"changed", alert->changed},
    };
    const char *separator = "";

    text_add_char(out, '{');
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].value && *texts[i].value)
            member(out, &separator, texts[i].name, texts[i].value);
    if (!isnan(alert->value)) {
        text_printf(out, "%s\"value\":\"", separator);
        text_add_double(out, alert->value);
        text_add_char(out, '"');
        separator = ",";
    }
    if (alert->flapping)
        member(out, &separator, "flapping", "true");
    text_add_char(out, '}');
}

void alert_json_group(const struct labels *labels, struct text *out)
{
    const char *separator = "";

    text_add_char(out, '{');
    if (labels)
        members(out, &separator, labels);
    text_add_char(out, '}');
}

void alert_json_time(uint64_t realtime_ns, struct text *out)
{
    char time[CLOCK_RFC3339_BYTES];

    clock_format_rfc3339(realtime_ns, time);
    text_printf(out, "\"%s\"", time);
}
