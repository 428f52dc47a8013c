#include "alert/source.h"
#include "alert/source_row.h"
#include "health/phrase.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int alert_source_create(struct alert_source **ret)
{
    struct alert_source *source = calloc(1, sizeof(*source));

    if (!source)
        return -ENOMEM;
    *ret = source;
    return 0;
}

void alert_source_destroy(struct alert_source *source)
{
    if (!source)
        return;
    free(source->rows);
    free(source->conditions);
    free(source->events);
    free(source);
}

static bool grow(void **memory, size_t *capacity, size_t count, size_t size)
{
    void *grown;

    if (count <= *capacity)
        return true;
    grown = realloc(*memory, 2 * count * size);
    if (!grown)
        return false;
    *memory = grown;
    *capacity = 2 * count;
    return true;
}

struct source_row *source_row_add(struct alert_source *source)
{
    struct source_row *row;
    void *rows = source->rows;

    if (!grow(&rows, &source->row_capacity, source->row_count + 1, sizeof(*row)))
        return NULL;
    source->rows = rows;
    row = &source->rows[source->row_count++];
    row->label_count = 0;
    row->reason[0] = '\0';
    return row;
}

/* The value is found by its index later: rows may still move. */
void source_row_label(struct source_row *row, const char *name, const char *format, ...)
{
    va_list args;

    if (row->label_count == ROW_LABELS_MAX)
        return;
    va_start(args, format);
    vsnprintf(row->values[row->label_count], ROW_VALUE_BYTES, format, args);
    va_end(args);
    row->labels[row->label_count++].name = name;
}

static const struct label_pair *settle(struct source_row *row)
{
    for (size_t i = 0; i < row->label_count; i++)
        row->labels[i].value = row->values[i];
    return row->labels;
}

static bool add_checks(struct alert_source *source, const struct health *health)
{
    for (size_t i = 0; i < health_check_count(health); i++) {
        struct source_row *row = source_row_add(source);
        struct check_view check;
        const char *colon;

        if (!row)
            return false;
        health_check(health, i, &check);
        colon = strchr(check.name, ':');
        source_row_label(row, "check", "%.*s",
                         (int)(colon ? colon - check.name : (long)strlen(check.name)), check.name);
        source_row_label(row, "component", "%s", component_name(check.component));
        source_row_label(row, "subject", "%s", colon ? colon + 1 : "");
        snprintf(row->reason, sizeof(row->reason), "%s", check.reason);
    }
    return true;
}

static void add_samples(struct alert_source *source, const struct alert_facts *facts,
                        struct alert_input *ret)
{
    const struct snapshot *snapshot = facts->snapshot;
    const struct alert_sample samples[] = {
        {.metric = "moonwatch_cpu_usage_ratio",
         .value = snapshot->cpu.missing ? NAN : snapshot->cpu.total.usage_percent.value / 100},
        {.metric = "moonwatch_memory_usage_ratio",
         .value = snapshot->memory.missing ? NAN : snapshot->memory.usage_percent.value / 100},
        {.metric = "moonwatch_loop_lag_seconds",
         .value = facts->loop ? (double)facts->loop->lag_ns / NS_PER_SECOND : NAN},
    };

    memcpy(source->samples, samples, sizeof(samples));
    ret->samples = source->samples;
    ret->sample_count = sizeof(samples) / sizeof(samples[0]);
}

int alert_source_fill(struct alert_source *source, const struct alert_facts *facts,
                      struct alert_input *ret)
{
    void *conditions = source->conditions, *events = source->events;
    size_t checks;

    source->row_count = 0;
    source->snapshot = facts->snapshot;
    *ret = (struct alert_input){
        .monotonic_ns = facts->snapshot->monotonic_ns,
        .realtime_ns = facts->snapshot->realtime_ns,
        .explain = source_explain,
        .ctx = source,
    };
    if (!add_checks(source, facts->health))
        return -ENOMEM;
    checks = source->row_count;
    if (!source_add_events(source, facts))
        return -ENOMEM;
    if (!grow(&conditions, &source->condition_capacity, checks, sizeof(*source->conditions)))
        return -ENOMEM;
    source->conditions = conditions;
    if (!grow(&events, &source->event_capacity, source->row_count - checks,
              sizeof(*source->events)))
        return -ENOMEM;
    source->events = events;
    for (size_t i = 0; i < source->row_count; i++) {
        struct source_row *row = &source->rows[i];
        const struct label_pair *labels = settle(row);
        struct check_view check;

        if (i >= checks) {
            source->events[ret->event_count++] =
                (struct alert_event){row->event, labels, row->label_count, NAN, row->reason};
            continue;
        }
        health_check(facts->health, i, &check);
        source->conditions[ret->condition_count++] = (struct alert_condition){
            RULE_STATUS, labels, row->label_count, check.status, check.value.value, row->reason};
    }
    ret->conditions = source->conditions;
    ret->events = source->events;
    add_samples(source, facts, ret);
    source->before = source->now;
    source->filled = true;
    return 0;
}

/* Which list of processes tells who is behind a check. */
static bool order_of(const char *check, enum top_order *ret)
{
    static const struct {
        const char *begins;
        enum top_order order;
    } orders[] = {
        {"cpu", TOP_CPU},    {"throttled", TOP_CPU}, {"runq_delay", TOP_CPU},
        {"memory", TOP_RSS}, {"swap", TOP_RSS},      {"pressure", TOP_RUN_DELAY},
    };

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strncmp(check, orders[i].begins, strlen(orders[i].begins)) != 0)
            continue;
        *ret = orders[i].order;
        return true;
    }
    return false;
}

static void add_process(const struct process_row *row, enum top_order order, struct text *out)
{
    char amount[32];
    struct phrase p;

    phrase_init(&p, amount, sizeof(amount));
    if (order == TOP_RSS)
        phrase_bytes(&p, (double)row->rss_bytes);
    else if (order == TOP_CPU)
        phrase_add(&p, "%.0f %%", row->cpu_percent.value);
    else
        phrase_add(&p, "%.0f %%",
                   order == TOP_BLOCKED ? row->blocked_percent.value
                                        : row->run_delay_percent.value);
    text_printf(out, "%s%.*s (pid %u) %s", out->len ? ", " : "", COMM_BYTES, row->comm, row->pid,
                amount);
}

void source_explain(void *ctx, const struct labels *alert, struct text *out)
{
    const struct alert_source *source = ctx;
    const struct process_snapshot *process = &source->snapshot->process;
    const char *check = labels_get(alert, "check"), *subject = labels_get(alert, "subject");
    enum top_order order;

    if (strcmp(labels_get(alert, "event"), "oom") == 0) {
        const struct event_snapshot *events = &source->snapshot->events;

        for (size_t i = 0; events->oom_count > 0 && i < events->ooms[0].top_count; i++)
            add_process(&events->ooms[0].top[i], TOP_RSS, out);
        return;
    }
    if (!order_of(check, &order))
        return;
    /* Of pressure the resource tells. */
    if (strncmp(check, "pressure", 8) == 0)
        order = strcmp(subject, "memory") == 0 ? TOP_RSS
                : strcmp(subject, "io") == 0   ? TOP_BLOCKED
                                               : TOP_RUN_DELAY;
    for (size_t i = 0; i < process->top_count[order]; i++)
        add_process(&process->top[order][i], order, out);
}
