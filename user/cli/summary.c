#include "cli/summary.h"
#include "health/phrase.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512
#define EVENTS_SHOWN 3

struct page {
    FILE *out;
    bool coloured;
};

static const cJSON *at(const cJSON *json, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(json, key);
}

static const char *string_at(const cJSON *json, const char *key, const char *otherwise)
{
    const char *value = cJSON_GetStringValue(at(json, key));

    return value ? value : otherwise;
}

static double number_at(const cJSON *json, const char *key)
{
    const cJSON *item = at(json, key);

    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static void print_status(const struct page *page, const char *status, int width)
{
    static const struct {
        const char *status, *colour;
    } colours[] = {{"healthy", "\033[32m"}, {"degraded", "\033[33m"}, {"unhealthy", "\033[1;31m"}};
    const char *colour = NULL;

    for (size_t i = 0; page->coloured && i < sizeof(colours) / sizeof(colours[0]); i++)
        if (strcmp(status, colours[i].status) == 0)
            colour = colours[i].colour;
    fprintf(page->out, "%s%-*s%s", colour ? colour : "", width, status, colour ? "\033[0m" : "");
}

/* Text of others, such as names of processes: control characters would reach the terminal. */
static void print_text(const struct page *page, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == '\x7f' ? '?' : *text, page->out);
}

static void print_head(const struct page *page, const cJSON *health, const char *address)
{
    char line[LINE_BYTES];
    struct phrase p;

    phrase_init(&p, line, sizeof(line));
    phrase_add(&p, ", up ");
    if (isnan(number_at(health, "uptime_seconds")))
        phrase_add(&p, "for an unknown time");
    else
        phrase_duration(&p, number_at(health, "uptime_seconds"));
    print_status(page, string_at(health, "status", "unknown"), 0);
    fprintf(page->out, "  moonwatch %s at %s%s, figures of %s\n", string_at(health, "version", "?"),
            address, line, string_at(health, "ts", "no time yet"));
}

static void print_components(const struct page *page, const cJSON *health)
{
    const cJSON *component, *reason;

    fputc('\n', page->out);
    cJSON_ArrayForEach (component, at(health, "components")) {
        int count = 0;

        fprintf(page->out, "  %-12s ", component->string);
        print_status(page, string_at(component, "status", "unknown"), 10);
        cJSON_ArrayForEach (reason, at(component, "reasons")) {
            if (!cJSON_IsString(reason))
                continue;
            fprintf(page->out, count++ ? "\n%25s" : "%s", "");
            print_text(page, reason->valuestring);
        }
        fputc('\n', page->out);
    }
}

/* Before anybody trusts that all is well. */
static void print_unseen(const struct page *page, const cJSON *health)
{
    const char *title = "\nParts of the host that are not seen\n";
    const cJSON *part;

    cJSON_ArrayForEach (part, at(health, "unseen")) {
        fprintf(page->out, "%s  %-12s ", title, string_at(part, "what", "?"));
        print_text(page, string_at(part, "reason", "no reason given"));
        fputc('\n', page->out);
        title = "";
    }
}

static void print_probes(const struct page *page, const cJSON *health)
{
    const cJSON *probe, *why = at(health, "probes_reason");
    const char *title = "\nProbes that do not run\n";

    if (cJSON_IsString(why)) {
        fprintf(page->out, "\nNo probes: ");
        print_text(page, why->valuestring);
        fputc('\n', page->out);
    }
    cJSON_ArrayForEach (probe, at(health, "probes")) {
        fprintf(page->out, "%s  %-12s %-16s %s: ", title, string_at(probe, "concern", "?"),
                string_at(probe, "program", "?"), string_at(probe, "state", "?"));
        print_text(page, string_at(probe, "reason", "no reason given"));
        fputc('\n', page->out);
        title = "";
    }
}

static void add_percent(struct phrase *p, const cJSON *json, const char *key)
{
    double value = number_at(json, key);

    if (isnan(value))
        phrase_add(p, "unknown");
    else
        phrase_add(p, "%.1f %%", value);
}

static void add_bytes(struct phrase *p, const cJSON *json, const char *key)
{
    double value = number_at(json, key);

    if (isnan(value))
        phrase_add(p, "unknown");
    else
        phrase_bytes(p, value);
}

/* Unknown waits are most often waits that did not happen. */
static void add_wait(struct phrase *p, const char *name, const cJSON *json, const char *key)
{
    double value = number_at(json, key);

    phrase_add(p, " %s ", name);
    if (isnan(value))
        phrase_add(p, "-");
    else
        phrase_wait(p, value);
}

static void print_line(const struct page *page, const char *label, const char *line)
{
    fprintf(page->out, "  %-12s ", label);
    print_text(page, line);
    fputc('\n', page->out);
}

static void print_cpu(const struct page *page, const cJSON *cpu)
{
    static const char *const loads[] = {"load1", "load5", "load15"};
    int cores = cJSON_GetArraySize(at(cpu, "cores"));
    char line[LINE_BYTES];
    struct phrase p;

    phrase_init(&p, line, sizeof(line));
    add_percent(&p, cpu, "usage_percent");
    if (cores)
        phrase_add(&p, " of %d cores", cores);
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        if (!isnan(number_at(cpu, loads[i])))
            phrase_add(&p, "%s%.2f", i ? " " : ", load ", number_at(cpu, loads[i]));
    print_line(page, "cpu", line);
}

static void print_memory(const struct page *page, const cJSON *memory)
{
    char line[LINE_BYTES];
    struct phrase p;

    phrase_init(&p, line, sizeof(line));
    add_percent(&p, memory, "usage_percent");
    phrase_add(&p, " of ");
    add_bytes(&p, memory, "total_bytes");
    phrase_add(&p, ", available ");
    add_bytes(&p, memory, "available_bytes");
    if (number_at(memory, "swap_total_bytes") > 0) {
        phrase_add(&p, ", swap ");
        add_percent(&p, memory, "swap_usage_percent");
    }
    print_line(page, "memory", line);
}

static void print_disks(const struct page *page, const cJSON *disks)
{
    const cJSON *disk;

    cJSON_ArrayForEach (disk, disks) {
        char line[LINE_BYTES];
        struct phrase p;
        double full_in = number_at(disk, "full_in_seconds");

        phrase_init(&p, line, sizeof(line));
        phrase_path(&p, string_at(disk, "mount", "?"));
        phrase_add(&p, " ");
        add_percent(&p, disk, "usage_percent");
        phrase_add(&p, " of ");
        add_bytes(&p, disk, "size_bytes");
        phrase_add(&p, ", inodes ");
        add_percent(&p, disk, "inodes_usage_percent");
        if (!isnan(full_in)) {
            phrase_add(&p, ", full in about ");
            phrase_duration(&p, full_in);
        }
        print_line(page, "disk", line);
    }
}

static void print_pressure(const struct page *page, const cJSON *pressure)
{
    static const char *const resources[] = {"cpu", "memory", "io"};
    char line[LINE_BYTES];
    struct phrase p;

    phrase_init(&p, line, sizeof(line));
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        phrase_add(&p, "%s%s ", i ? ", " : "", resources[i]);
        add_percent(&p, at(at(pressure, resources[i]), "some"), "avg10_percent");
    }
    phrase_add(&p, " of the last 10 s");
    print_line(page, "pressure", line);
}

static void print_waits(const struct page *page, const cJSON *scheduler)
{
    const cJSON *delay = at(scheduler, "run_queue_delay"), *recent = at(delay, "recent");
    char line[LINE_BYTES];
    struct phrase p;

    phrase_init(&p, line, sizeof(line));
    if (!cJSON_IsObject(recent)) {
        phrase_add(&p, "unknown: %s",
                   string_at(delay, "recent_reason",
                             string_at(scheduler, "run_queue_delay_reason", "no reason given")));
        print_line(page, "cpu wait", line);
        return;
    }
    add_wait(&p, "p50", recent, "p50_seconds");
    add_wait(&p, "p95", recent, "p95_seconds");
    add_wait(&p, "p99", recent, "p99_seconds");
    add_wait(&p, "max", recent, "max_seconds");
    phrase_add(&p, " in the last minute");
    print_line(page, "cpu wait", line + 1);
}

/* What the agent orders them by is the sum. */
static void add_cpu(struct phrase *p, const cJSON *row)
{
    double own = number_at(row, "cpu_percent");
    double children = number_at(row, "short_children_cpu_percent");

    if (isnan(own) && isnan(children))
        phrase_add(p, "unknown");
    else
        phrase_add(p, "%.1f %%", (isnan(own) ? 0 : own) + (isnan(children) ? 0 : children));
    if (children >= 0.1)
        phrase_add(p, " with short processes of it");
}

static void add_waiting(struct phrase *p, const cJSON *row)
{
    add_percent(p, row, "run_delay_percent");
}

static void add_resident(struct phrase *p, const cJSON *row)
{
    add_bytes(p, row, "rss_bytes");
}

static void print_top(const struct page *page, const char *label, const cJSON *rows,
                      void (*add)(struct phrase *p, const cJSON *row))
{
    char line[LINE_BYTES] = "";
    struct phrase p;
    const cJSON *row;

    phrase_init(&p, line, sizeof(line));
    cJSON_ArrayForEach (row, rows) {
        phrase_add(&p, "%s%s (%.0f) ", row == rows->child ? "" : ", ", string_at(row, "comm", "?"),
                   number_at(row, "pid"));
        add(&p, row);
    }
    if (*line)
        print_line(page, label, line);
}

static void print_events(const struct page *page, const cJSON *events)
{
    static const struct {
        const char *label, *list, *detail;
    } kinds[] = {
        {"oom kill", "oom_kills", "limit_cgroup"},
        {"ended", "abnormal_exits", "cause"},
        {"stall", "stalls", "cgroup"},
        {"no connect", "connects_failed", "remote"},
    };
    const char *title = "\nLately\n";

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const cJSON *event;
        int shown = 0;

        cJSON_ArrayForEach (event, at(events, kinds[i].list)) {
            char line[LINE_BYTES];

            /* Every failed grep exits with 1. */
            if (strcmp(string_at(event, "kind", ""), "exit") == 0)
                continue;
            if (shown++ == EVENTS_SHOWN)
                break;
            snprintf(line, sizeof(line), "%s %s (%.0f) %s", string_at(event, "ts", "?"),
                     string_at(event, "comm", "?"), number_at(event, "pid"),
                     string_at(event, kinds[i].detail, ""));
            fputs(title, page->out);
            print_line(page, kinds[i].label, line);
            title = "";
        }
    }
}

int summary_print(FILE *out, const cJSON *answers, const char *address, bool coloured)
{
    const struct page page = {.out = out, .coloured = coloured};
    const cJSON *health = at(answers, "health"), *resources = at(answers, "resources");
    const cJSON *scheduler = at(answers, "scheduler");

    print_head(&page, health, address);
    print_components(&page, health);
    fputc('\n', out);
    print_cpu(&page, at(resources, "cpu"));
    print_memory(&page, at(resources, "memory"));
    print_disks(&page, at(resources, "disk"));
    print_pressure(&page, at(resources, "pressure"));
    print_waits(&page, scheduler);
    print_top(&page, "most cpu", at(at(resources, "cpu"), "top"), add_cpu);
    print_top(&page, "most memory", at(at(resources, "memory"), "top"), add_resident);
    print_top(&page, "most waiting", at(scheduler, "top"), add_waiting);
    print_events(&page, at(resources, "events"));
    print_unseen(&page, health);
    print_probes(&page, health);
    return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}
