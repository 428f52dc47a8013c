#include "cli/alert_list.h"
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text ? text : "";
}

/* "2026-01-31T12:00:00Z" of a longer one. */
static void print_time(const char *time, const char *otherwise)
{
    if (strlen(time) >= 19)
        printf("%.19sZ", time);
    else
        printf("%-20s", otherwise);
}

static void print_labels(const cJSON *labels)
{
    const char *before = "{";
    const cJSON *each;

    cJSON_ArrayForEach (each, labels) {
        if (strcmp(each->string, "alertname") == 0)
            continue;
        printf("%s%s=\"", before, each->string);
        fputs(text_of(labels, each->string), stdout);
        putchar('"');
        before = ", ";
    }
    if (*before == ',')
        putchar('}');
}

static void print_note(const char *name, const char *text)
{
    if (!*text)
        return;
    printf("                  %s: ", name);
    fputs(text, stdout);
    putchar('\n');
}

int alert_list_print_one(const cJSON *alert)
{
    const char *state = text_of(alert, "state"), *by = text_of(alert, "acked_by");

    printf("%-16s  %-8s  %-8s  ", text_of(alert, "id"), text_of(alert, "severity"), state);
    print_time(text_of(alert, strcmp(state, "resolved") == 0 ? "ends_at" : "starts_at"), "-");
    printf("  %s", text_of(alert, "alertname"));
    print_labels(cJSON_GetObjectItemCaseSensitive(alert, "labels"));
    putchar('\n');
    print_note("summary", text_of(alert, "summary"));
    print_note("behind it", text_of(alert, "offenders"));
    print_note("not told", text_of(alert, "suppressed_by"));
    print_note("acknowledged by", by);
    print_note("comment", text_of(alert, "ack_comment"));
    return EXIT_DONE;
}

static void print_omitted(const cJSON *answer, const char *key, const char *what)
{
    const cJSON *omitted = cJSON_GetObjectItemCaseSensitive(answer, key);

    if (cJSON_IsNumber(omitted) && omitted->valuedouble > 0)
        printf("and %.0f more %s (see --limit)\n", omitted->valuedouble, what);
}

int alert_list_print_silences(const cJSON *answer)
{
    const cJSON *one, *list = cJSON_GetObjectItemCaseSensitive(answer, "silences");

    cJSON_ArrayForEach (one, list) {
        printf("%-16s  until ", text_of(one, "id"));
        print_time(text_of(one, "ends_at"), "-");
        fputs("  ", stdout);
        fputs(text_of(one, "matchers"), stdout);
        putchar('\n');
        print_note("by", text_of(one, "creator"));
        print_note("comment", text_of(one, "comment"));
    }
    return EXIT_DONE;
}

/* Only what keeps somebody from being told. */
static void print_channels(const cJSON *channels)
{
    const cJSON *one;

    cJSON_ArrayForEach (one, channels) {
        const char *state = text_of(one, "state"), *peer = text_of(one, "peer");

        if (strcmp(state, "ok") == 0)
            continue;
        printf("CHANNEL %s%s%s is %s: ", text_of(one, "name"), *peer ? " " : "", peer, state);
        fputs(text_of(one, "error"), stdout);
        putchar('\n');
    }
}

int alert_list_print(const cJSON *alerts, const cJSON *silences)
{
    static const struct {
        const char *key, *omitted, *title;
    } lists[] = {
        {"alerts", "alerts_omitted", "alerts"},
        {"history", "history_omitted", "alerts that are over"},
    };
    const cJSON *one;

    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(alerts, "alerts")) == 0)
        puts("no alerts");
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(alerts, lists[i].key);

        if (cJSON_GetArraySize(list) > 0)
            printf("%-16s  %-8s  %-8s  %-20s  %s\n", "ID", "SEVERITY", "STATE",
                   i ? "ENDED" : "SINCE", i ? "OVER" : "ALERT");
        cJSON_ArrayForEach (one, list)
            alert_list_print_one(one);
        print_omitted(alerts, lists[i].omitted, lists[i].title);
    }
    print_channels(cJSON_GetObjectItemCaseSensitive(alerts, "channels"));
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(silences, "silences")) > 0)
        puts("SILENCES");
    return alert_list_print_silences(silences);
}
