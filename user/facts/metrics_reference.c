#include "facts/metrics_reference.h"
#include "facts/field.h"
#include "facts/metrics.h"
#include <stdlib.h>
#include <string.h>

#define METRICS_MAX 1024

struct listing {
    struct metric list[METRICS_MAX];
    size_t count;
};

struct search {
    const char *family;
    const struct field *found; /* the first of those that share it */
};

static void look(void *ctx, const struct field_rows *rows)
{
    struct search *search = ctx;

    for (size_t i = 0; !search->found && i < rows->count; i++)
        if (rows->fields[i].metric.name && strcmp(rows->fields[i].metric.name, search->family) == 0)
            search->found = &rows->fields[i];
}

/* A histogram is told by its sum and its count; the reference has it once. */
static void list(void *ctx, const struct metric *metric)
{
    struct listing *all = ctx;

    if (all->count == METRICS_MAX ||
        (metric->type == METRIC_HISTOGRAM && text_ends(metric->name, "_sum")))
        return;
    all->list[all->count++] = *metric;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct metric *)a)->name, ((const struct metric *)b)->name);
}

static void cut(char *name, const char *suffix)
{
    if (*suffix && text_ends(name, suffix))
        name[strlen(name) - strlen(suffix)] = '\0';
}

static void add_labels(struct text *out, const char *labels)
{
    for (const char *end; (end = strchr(labels, ' ')); labels = end + 1) {
        text_add(out, " `");
        text_add_n(out, labels, (size_t)(end - labels));
        text_add_char(out, '`');
    }
}

static void add_uses(struct text *out, const struct field *f)
{
    const char *comma = "";

    if (!f)
        return;
    if (f->judged) {
        text_printf(out, " judged by the check `%s`", f->judged);
        comma = ",";
    }
    if (f->watched) {
        text_printf(out, "%s watched", comma);
        comma = ",";
    }
    if (f->limit > 0 || f->limit_at || f->runs_out)
        text_printf(out, "%s forecast to %s", comma,
                    f->runs_out   ? "its end"
                    : f->limit_at ? "its limit"
                                  : "100 %");
}

static void add(struct text *out, struct metric *metric)
{
    char family[METRIC_NAME_BYTES];
    struct search search = {.family = family};
    const struct field *f;

    if (metric->type == METRIC_HISTOGRAM)
        cut(metric->name, "_count");
    memcpy(family, metric->name, sizeof(family));
    cut(family, metric_suffix(metric->type));
    field_rows_each(look, &search);
    f = search.found;
    text_printf(out, "| `%s` | %s |", metric->name, metric_type_name(metric->type));
    add_labels(out, metric->labels);
    text_printf(out, " | %s | %s |", metric_unit(family), metric->help);
    if (f && f->key)
        text_printf(out, " `%s`", f->key);
    text_add(out, " |");
    add_uses(out, f);
    text_add(out, " |\n");
}

void metrics_reference(struct text *out)
{
    struct listing *all = calloc(1, sizeof(*all));

    if (!all) {
        out->failed = true;
        return;
    }
    metric_each(list, all);
    qsort(all->list, all->count, sizeof(all->list[0]), by_name);
    text_add(out, "| metric | type | labels | unit | what it is | in JSON | what is made of it |\n"
                  "| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < all->count; i++)
        add(out, &all->list[i]);
    free(all);
}
