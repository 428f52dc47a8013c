#include "cli/status_check.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "health/phrase.h"
#include <math.h>
#include <string.h>

/* Monitoring cores keep the first few hundred bytes of a line; what is worst stands first. */
#define LINE_BYTES 1024
#define REASONS_SHOWN 4

static const char *const names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

static const cJSON *at(const cJSON *json, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(json, key);
}

static enum plugin_exit exit_of(const char *status)
{
    static const struct {
        const char *status;
        enum plugin_exit code;
    } exits[] = {
        {"healthy", PLUGIN_OK}, {"degraded", PLUGIN_WARNING}, {"unhealthy", PLUGIN_CRITICAL}};

    for (size_t i = 0; status && i < sizeof(exits) / sizeof(exits[0]); i++)
        if (strcmp(status, exits[i].status) == 0)
            return exits[i].code;
    return PLUGIN_UNKNOWN;
}

/* A bar begins the performance data, and a line's end ends what is shown. */
static void print_text(FILE *out, const char *text)
{
    CLEANUP_FREE char *clean = text_cleaned(text);

    for (char *c = clean; c && *c; c++)
        if (*c == '|')
            *c = '/';
    fputs(clean ? clean : "out of memory", out);
}

/* The reasons of the components in this status. */
static void add_reasons(struct phrase *p, const cJSON *health, const char *status, int *shown)
{
    const cJSON *component, *reason;

    cJSON_ArrayForEach (component, at(health, "components")) {
        const char *own = cJSON_GetStringValue(at(component, "status"));

        if (!own || strcmp(own, status) != 0)
            continue;
        cJSON_ArrayForEach (reason, at(component, "reasons"))
            if (cJSON_IsString(reason) && (*shown)++ < REASONS_SHOWN)
                phrase_add(p, "%s%s: %s", *shown > 1 ? "; " : "", component->string,
                           reason->valuestring);
    }
}

static void print_share(FILE *out, const char *label, const cJSON *row)
{
    const cJSON *usage = at(row, "usage_percent"), *levels = at(row, "thresholds");
    const cJSON *warning = at(levels, "warning_percent"),
                *critical = at(levels, "critical_percent");

    if (!cJSON_IsNumber(usage))
        return;
    fprintf(out, " %s=%.1f%%;", label, usage->valuedouble);
    if (cJSON_IsNumber(warning))
        fprintf(out, "%g", warning->valuedouble);
    fputc(';', out);
    if (cJSON_IsNumber(critical))
        fprintf(out, "%g", critical->valuedouble);
    fputs(";0;100", out);
}

static const cJSON *fullest(const cJSON *disks)
{
    const cJSON *disk, *ret = NULL;
    double most = -1;

    cJSON_ArrayForEach (disk, disks) {
        const cJSON *usage = at(disk, "usage_percent");

        if (cJSON_IsNumber(usage) && usage->valuedouble > most) {
            most = usage->valuedouble;
            ret = disk;
        }
    }
    return ret;
}

enum plugin_exit status_check_print(FILE *out, const cJSON *health, const cJSON *resources)
{
    const char *status = cJSON_GetStringValue(at(health, "status"));
    enum plugin_exit code = exit_of(status);
    char line[LINE_BYTES];
    struct phrase p;
    int shown = 0;

    phrase_init(&p, line, sizeof(line));
    add_reasons(&p, health, "unhealthy", &shown);
    add_reasons(&p, health, "degraded", &shown);
    add_reasons(&p, health, "unknown", &shown);
    if (shown > REASONS_SHOWN)
        phrase_add(&p, "; and %d more", shown - REASONS_SHOWN);
    fprintf(out, "%s - ", names[code]);
    print_text(out, status ? status : "no status given");
    if (*line)
        fputs("; ", out);
    print_text(out, line);
    if (resources) {
        fputs(" |", out);
        print_share(out, "cpu", at(resources, "cpu"));
        print_share(out, "memory", at(resources, "memory"));
        print_share(out, "disk", fullest(at(resources, "disk")));
    }
    fputc('\n', out);
    return code;
}

enum plugin_exit status_check_fail(FILE *out, const char *why)
{
    fprintf(out, "%s - ", names[PLUGIN_UNKNOWN]);
    print_text(out, why);
    fputc('\n', out);
    return PLUGIN_UNKNOWN;
}
