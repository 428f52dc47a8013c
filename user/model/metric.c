#include "model/metric.h"
#include "base/nearest.h"
#include <stdio.h>
#include <string.h>

/* Weak: a program that writes no page has no such section. */
extern const struct metric_declaration *const __start_metric_declarations[] __attribute__((weak));
extern const struct metric_declaration *const __stop_metric_declarations[] __attribute__((weak));

/* What all names have in common tells none from another. */
#define COMMON_PREFIX "moonwatch_"

const char *metric_suffix(enum metric_type type)
{
    static const char *const suffixes[] = {
        [METRIC_GAUGE] = "",
        [METRIC_COUNTER] = "_total",
        [METRIC_INFO] = "_info",
        [METRIC_HISTOGRAM] = "",
    };

    return suffixes[type];
}

const char *metric_type_name(enum metric_type type)
{
    static const char *const names[] = {
        [METRIC_GAUGE] = "gauge",
        [METRIC_COUNTER] = "counter",
        [METRIC_INFO] = "info",
        [METRIC_HISTOGRAM] = "histogram",
    };

    return names[type];
}

const char *metric_unit(const char *family)
{
    static const char *const units[] = {"seconds", "bytes", "ratio"};
    const char *last = strrchr(family, '_');

    for (size_t i = 0; last && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(last + 1, units[i]) == 0)
            return units[i];
    return "";
}

static void tell(const struct metric_declaration *d, const struct metric_family *family,
                 const char *suffix, void (*fn)(void *ctx, const struct metric *metric), void *ctx)
{
    struct metric metric = {.type = family->type,
                            .help = family->help,
                            .labels = family->labels ? family->labels : d->labels,
                            .need = family->need ? family->need : d->need};

    snprintf(metric.name, sizeof(metric.name), "%s%s", family->name, suffix);
    fn(ctx, &metric);
}

static const struct metric_family *family_at(const struct metric_declaration *d, size_t index)
{
    return (const void *)((const char *)d->first + index * d->stride);
}

/* Rows of one family differ in a label, so they name theirs. */
static bool is_told_before(const struct metric_declaration *d, size_t index)
{
    const struct metric_family *family = family_at(d, index);

    for (size_t i = 0; family->labels && i < index; i++)
        if (family_at(d, i)->name && strcmp(family_at(d, i)->name, family->name) == 0)
            return true;
    return false;
}

void metric_each(void (*fn)(void *ctx, const struct metric *metric), void *ctx)
{
    const struct metric_declaration *const *d;

    for (d = &__start_metric_declarations[0]; d != &__stop_metric_declarations[0]; d++) {
        for (size_t i = 0; i < (*d)->count; i++) {
            const struct metric_family *family = family_at(*d, i);

            if (!family->name || is_told_before(*d, i))
                continue;
            if (family->type == METRIC_HISTOGRAM) {
                tell(*d, family, "_sum", fn, ctx);
                tell(*d, family, "_count", fn, ctx);
            } else {
                tell(*d, family, metric_suffix(family->type), fn, ctx);
            }
        }
    }
}

bool metric_any_declared(void)
{
    return &__start_metric_declarations[0] != &__stop_metric_declarations[0];
}

struct search {
    const char *name;
    struct metric found;
};

static void compare(void *ctx, const struct metric *metric)
{
    struct search *search = ctx;

    if (strcmp(metric->name, search->name) == 0)
        search->found = *metric;
}

bool metric_find(const char *name, struct metric *ret)
{
    struct search search = {.name = name};

    metric_each(compare, &search);
    if (!search.found.name[0])
        return false;
    *ret = search.found;
    return true;
}

static const char *own_part(const char *name)
{
    size_t n = strlen(COMMON_PREFIX);

    return strncmp(name, COMMON_PREFIX, n) == 0 ? name + n : name;
}

struct nearest_metric {
    struct nearest nearest;
    char *name;
};

static void offer(void *ctx, const struct metric *metric)
{
    struct nearest_metric *m = ctx;

    if (nearest_offer(&m->nearest, own_part(metric->name)))
        snprintf(m->name, METRIC_NAME_BYTES, "%s", metric->name);
}

bool metric_histogram(const char *name, char ret[METRIC_NAME_BYTES])
{
    const struct metric_declaration *const *d;

    for (d = &__start_metric_declarations[0]; d != &__stop_metric_declarations[0]; d++) {
        for (size_t i = 0; i < (*d)->count; i++) {
            const struct metric_family *family = family_at(*d, i);
            size_t n = family->name ? strlen(family->name) : 0;

            if (n == 0 || family->type != METRIC_HISTOGRAM || strncmp(name, family->name, n) != 0 ||
                (name[n] && name[n] != '_'))
                continue;
            snprintf(ret, METRIC_NAME_BYTES, "%s", family->name);
            return true;
        }
    }
    return false;
}

void metric_nearest(const char *name, char ret[METRIC_NAME_BYTES])
{
    struct nearest_metric m = {.nearest = nearest_to(own_part(name)), .name = ret};

    ret[0] = '\0';
    metric_each(offer, &m);
}

bool metric_has_label(const struct metric *metric, const char *label)
{
    size_t n = strlen(label);

    for (const char *at = metric->labels; *at; at += strcspn(at, " ") + 1)
        if (strncmp(at, label, n) == 0 && at[n] == ' ')
            return true;
    return false;
}
