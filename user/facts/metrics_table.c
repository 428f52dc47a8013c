#include "facts/metrics_table.h"
#include "base/clock.h"
#include "base/text.h"
#include <stdint.h>
#include <string.h>

/* Objects in objects, and the metrics of a whole table. */
#define DEPTH_MAX 4
#define LEAVES_MAX 64

/* A metric, and the objects that lead to it. */
struct leaf {
    const struct field *field;
    const struct field *path[DEPTH_MAX];
    unsigned depth;
};

struct leaves {
    struct leaf list[LEAVES_MAX];
    size_t count;
};

static bool is_called(const struct field *f, const char *name)
{
    return (f->key && strcmp(f->key, name) == 0) ||
           (f->metric.name && strcmp(f->metric.name, name) == 0);
}

static void gather(struct leaves *ret, const struct field_table *table, const struct leaf *above);

/* And what follows it on the page. */
static void gather_field(struct leaves *ret, const struct field_table *table, const struct field *f,
                         const struct leaf *above)
{
    struct leaf leaf = *above;

    if (f->metric.name && ret->count < LEAVES_MAX) {
        leaf.field = f;
        ret->list[ret->count++] = leaf;
    }
    if ((f->kind == FIELD_OBJECT || f->kind == FIELD_MERGE) && leaf.depth < DEPTH_MAX) {
        leaf.path[leaf.depth++] = f;
        gather(ret, f->table, &leaf);
    }
    for (size_t i = 0; i < table->count; i++)
        if (table->fields[i].after && is_called(f, table->fields[i].after))
            gather_field(ret, table, &table->fields[i], above);
}

static void gather(struct leaves *ret, const struct field_table *table, const struct leaf *above)
{
    for (size_t i = 0; i < table->count; i++)
        if (!table->fields[i].after)
            gather_field(ret, table, &table->fields[i], above);
}

static bool is_told(const void *object, const struct field_table *table, const struct field *f)
{
    return !field_reason(object, table->missing_at) && !field_reason(object, f->missing_at) &&
           (!f->told || f->told(object, (const char *)object + f->offset));
}

/* The list is not cleared: what is counted is written. */
static void gather_all(struct leaves *ret, const struct field_table *table)
{
    ret->count = 0;
    gather(ret, table, &(const struct leaf){0});
}

/* The structure that the leaf is in; NULL when it, or what it is in, is unknown. */
static const void *object_of(const struct leaf *leaf, const struct field_table *table,
                             const void *object)
{
    for (unsigned d = 0; object && d < leaf->depth; d++) {
        const struct field *f = leaf->path[d];
        const char *at = (const char *)object + f->offset;

        if (!is_told(object, table, f))
            return NULL;
        object = f->kind == FIELD_MERGE ? *(const void *const *)at : at;
        table = f->table;
    }
    return object && is_told(object, table, leaf->field) ? object : NULL;
}

static double divisor_of(const struct field *f)
{
    if (f->divisor > 0)
        return f->divisor;
    if (f->kind == FIELD_TIME || f->kind == FIELD_DURATION)
        return NS_PER_SECOND;
    return text_ends(f->metric.name, "_ratio") ? 100 : 1;
}

static void add_whole(struct exposition *e, const struct field *f, const struct label *labels,
                      size_t count, uint64_t value)
{
    double divisor = divisor_of(f);

    if (divisor == 1)
        exposition_count(e, labels, count, value);
    else
        exposition_sample(e, labels, count, (double)value / divisor);
}

static void add_double(struct exposition *e, const struct field *f, const struct label *labels,
                       size_t count, double value)
{
    if (!isnan(value))
        exposition_sample(e, labels, count, value / divisor_of(f));
}

/* 0 would be 1970: what never was has no sample. */
static void add_time(struct exposition *e, const struct field *f, const struct label *labels,
                     size_t count, uint64_t realtime_ns)
{
    if (realtime_ns)
        add_whole(e, f, labels, count, realtime_ns);
}

/* Without choices it is what the label says. */
static void add_choices(struct exposition *e, const struct field *f, struct label *labels,
                        size_t count, const char *is)
{
    if (is && !f->choices) {
        labels[count - 1].value = is;
        exposition_count(e, labels, count, 1);
        return;
    }
    for (const char *const *choice = f->choices; is && *choice; choice++) {
        labels[count - 1].value = *choice;
        exposition_count(e, labels, count, strcmp(*choice, is) == 0);
    }
}

static void add_latency(struct exposition *e, const struct field *f, const struct label *labels,
                        size_t count, unsigned step, const struct latency *latency)
{
    if (f->metric.type == METRIC_HISTOGRAM)
        exposition_histogram(e, labels, count, latency, step);
    else if (text_ends(f->metric.name, "_seconds"))
        exposition_sample(e, labels, count, (double)latency->sum_ns / NS_PER_SECOND);
    else
        exposition_count(e, labels, count, latency->count);
}

static void add_value(struct exposition *e, const struct field *f, struct label *labels,
                      size_t count, unsigned step, const char *object)
{
    const void *at = object + f->offset;
    struct field_text text;

    switch (f->kind) {
    case FIELD_READING:
        exposition_reading(e, labels, count, *(const struct reading *)at, divisor_of(f));
        break;
    case FIELD_DOUBLE:
        add_double(e, f, labels, count, *(const double *)at);
        break;
    case FIELD_U64:
    case FIELD_DURATION:
        add_whole(e, f, labels, count, *(const uint64_t *)at);
        break;
    case FIELD_U32:
        add_whole(e, f, labels, count, *(const uint32_t *)at);
        break;
    case FIELD_BOOL:
        add_whole(e, f, labels, count, *(const bool *)at);
        break;
    case FIELD_TIME:
        add_time(e, f, labels, count, *(const uint64_t *)at);
        break;
    case FIELD_LATENCY:
        add_latency(e, f, labels, count, step ? step : f->step ? f->step : 1, at);
        break;
    case FIELD_TEXT:
        text.object = object;
        text.ctx = NULL;
        add_choices(e, f, labels, count, f->text(&text));
        break;
    case FIELD_STRING:
        add_choices(e, f, labels, count, *(const char *const *)at);
        break;
    default:
        break;
    }
}

static void add_leaf(struct exposition *e, const struct leaf *leaf, const struct field_table *table,
                     unsigned step, const char *row)
{
    const char *object = object_of(leaf, table, row);
    struct row_labels labels = {.count = 0};

    if (!object)
        return;
    if (table->label)
        table->label(row, &labels);
    for (unsigned d = 0; d < leaf->depth; d++)
        if (leaf->path[d]->label.name)
            labels.list[labels.count++] = leaf->path[d]->label;
    if (leaf->field->label.name)
        labels.list[labels.count++] = leaf->field->label;
    add_value(e, leaf->field, labels.list, labels.count, step, object);
}

/* Of one row by several paths, or of rows that differ in a label of theirs, and so name them. */
static bool is_of_family(const struct leaf *leaf, const struct metric_family *family)
{
    const struct metric_family *own = &leaf->field->metric;

    return own == family || (own->labels && family->labels && strcmp(own->name, family->name) == 0);
}

static bool was_told(const struct leaves *leaves, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (is_of_family(&leaves->list[i], &leaves->list[index].field->metric))
            return true;
    return false;
}

void metric_table(struct exposition *e, const struct field_table *table,
                  const struct metric_rows *rows)
{
    struct leaves leaves;

    if (rows->count == 0)
        return;
    gather_all(&leaves, table);
    for (size_t l = 0; l < leaves.count; l++) {
        const struct metric_family *family = &leaves.list[l].field->metric;

        if (was_told(&leaves, l))
            continue;
        exposition_family(e, family);
        for (size_t r = 0; r < rows->count && exposition_wanted(e); r++)
            for (size_t i = l; i < leaves.count; i++)
                if (is_of_family(&leaves.list[i], family))
                    add_leaf(e, &leaves.list[i], table, rows->step,
                             (const char *)rows->rows + r * rows->stride);
    }
}

void metric_object(struct exposition *e, const struct field_table *table, const void *object)
{
    metric_table(e, table, &(const struct metric_rows){.rows = object, .count = 1});
}

static size_t choices_of(const struct field *f)
{
    size_t count = 0;

    while (f->choices && f->choices[count])
        count++;
    return count;
}

size_t metric_table_series(const struct field_table *table, unsigned step)
{
    struct leaves leaves;
    size_t count = 0;

    gather_all(&leaves, table);
    for (size_t i = 0; i < leaves.count; i++) {
        const struct field *f = leaves.list[i].field;

        if (f->metric.type == METRIC_HISTOGRAM)
            count += exposition_histogram_series(step ? step : f->step ? f->step : 1);
        else
            count += f->choices ? choices_of(f) : 1;
    }
    return count;
}
