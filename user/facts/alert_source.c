#include "facts/alert_source.h"
#include "base/array.h"
#include "facts/alert_source_row.h"
#include "facts/performance_rows.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tick may follow another within 10 ms, in which the kernel may have accounted nothing. */
#define RATES_AFTER_NS (100 * NS_PER_MS)

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
    free(source->samples);
    free(source->transitions);
    free(source);
}

struct source_row *source_row_add(struct alert_source *source)
{
    struct source_row *row;

    if (!ARRAY_GROW(source->rows, source->row_capacity, source->row_count + 1))
        return NULL;
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

static const struct label *settle(struct source_row *row)
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
        row->status = check.status;
        row->value = check.value.value;
        snprintf(row->reason, sizeof(row->reason), "%s", check.reason);
    }
    return true;
}

/* As in /metrics. */
static bool add_performance(struct alert_source *source, const struct facts *facts)
{
    for (size_t i = 0; i < facts->performance_count; i++) {
        const struct performance_row *performance = &facts->performance[i];
        const struct performance_view *figures = &performance->figures;
        struct source_row *row;

        if (performance->missing)
            continue;
        row = source_row_add(source);
        if (!row)
            return false;
        source_row_label(row, "role", "%s", performance->role);
        source_row_label(row, "name", "%s", figures->name);
        row->status = figures->degraded   ? STATUS_DEGRADED
                      : figures->unjudged ? STATUS_UNKNOWN
                                          : STATUS_HEALTHY;
        row->value = figures->worse_percent;
        snprintf(row->reason, sizeof(row->reason), "%s", figures->reason);
    }
    return true;
}

static double cpu_usage(const struct facts *facts)
{
    const struct cpu_snapshot *cpu = &facts->snapshot->cpu;

    return cpu->missing ? NAN : cpu->total.usage_percent.value / 100;
}

static double memory_usage(const struct facts *facts)
{
    const struct memory_snapshot *memory = &facts->snapshot->memory;

    return memory->missing ? NAN : memory->usage_percent.value / 100;
}

static double loop_lag(const struct facts *facts)
{
    return facts->loop ? (double)facts->loop->lag_ns / NS_PER_SECOND : NAN;
}

static const struct {
    const char *metric;
    double (*value)(const struct facts *facts);
} own[] = {
    {"moonwatch_cpu_usage_ratio", cpu_usage},
    {"moonwatch_memory_usage_ratio", memory_usage},
    {"moonwatch_loop_lag_seconds", loop_lag},
};

#define OWN_COUNT (sizeof(own) / sizeof(own[0]))

bool alert_source_has(const char *metric)
{
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (strcmp(own[i].metric, metric) == 0)
            return true;
    return false;
}

static bool add_samples(struct alert_source *source, const struct facts *facts,
                        const struct sample *more, size_t more_count, struct alert_input *ret)
{
    if (!ARRAY_GROW(source->samples, source->sample_capacity, OWN_COUNT + more_count))
        return false;
    for (size_t i = 0; i < OWN_COUNT; i++)
        source->samples[i] = (struct sample){.metric = own[i].metric, .value = own[i].value(facts)};
    if (more_count > 0)
        memcpy(source->samples + OWN_COUNT, more, more_count * sizeof(*more));
    ret->samples = source->samples;
    ret->sample_count = OWN_COUNT + more_count;
    return true;
}

/* Where the rows of each kind end. */
struct parts {
    size_t checks, conditions;
};

static bool add_rows(struct alert_source *source, const struct facts *facts, struct parts *ret)
{
    source->row_count = 0;
    if (!add_checks(source, facts->health))
        return false;
    ret->checks = source->row_count;
    if (!add_performance(source, facts))
        return false;
    ret->conditions = source->row_count;
    return source_add_events(source, facts);
}

static void list_rows(struct alert_source *source, const struct parts *parts,
                      struct alert_input *ret)
{
    for (size_t i = 0; i < source->row_count; i++) {
        struct source_row *row = &source->rows[i];
        const struct label *labels = settle(row);

        if (i >= parts->conditions)
            source->events[ret->event_count++] =
                (struct alert_event){row->event, labels, row->label_count, NAN, row->reason};
        else
            source->conditions[ret->condition_count++] = (struct alert_condition){
                i < parts->checks ? RULE_STATUS : RULE_DEGRADATION,
                labels,
                row->label_count,
                row->status,
                row->value,
                row->reason,
            };
    }
    ret->conditions = source->conditions;
    ret->events = source->events;
}

int alert_source_fill(struct alert_source *source, const struct facts *facts,
                      const struct sample *samples, size_t sample_count, struct alert_input *ret)
{
    struct parts parts;

    source->snapshot = facts->snapshot;
    if (!source->filled)
        source->first_ns = facts->snapshot->monotonic_ns;
    *ret = (struct alert_input){
        .monotonic_ns = facts->snapshot->monotonic_ns,
        .realtime_ns = facts->snapshot->realtime_ns,
        .no_rates_yet = facts->snapshot->monotonic_ns - source->first_ns < RATES_AFTER_NS,
        .explain = source_explain,
        .ctx = source,
    };
    if (!add_rows(source, facts, &parts) || !add_samples(source, facts, samples, sample_count, ret))
        return -ENOMEM;
    if (!ARRAY_GROW(source->conditions, source->condition_capacity, parts.conditions) ||
        !ARRAY_GROW(source->events, source->event_capacity, source->row_count - parts.conditions))
        return -ENOMEM;
    list_rows(source, &parts, ret);
    source->before = source->now;
    memcpy(source->told, source->told_now, sizeof(source->told));
    source->filled = true;
    source->transition_count = 0;
    return 0;
}
