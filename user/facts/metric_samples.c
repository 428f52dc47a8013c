#include "facts/metric_samples.h"
#include "base/array.h"
#include "facts/exposition.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 128
#define TEXT_BYTES_MAX (4 << 20)

/* While they are taken the texts may move: names and labels are found by where they begin. */
struct taken {
    size_t name, first_pair, pair_count;
    double value;
};

struct metric_samples {
    struct metrics *metrics;
    bool (*wants)(void *ctx, const char *metric);
    void *ctx;
    struct text text; /* with NULs */
    size_t count, capacity;
    struct taken *taken;
    size_t offset_count, offset_capacity; /* two per pair: name and value */
    size_t *offsets;
    struct sample *samples;
    size_t sample_capacity;
    struct label *pairs;
    size_t pair_capacity;
    bool failed;
};

int metric_samples_create(struct metric_samples **ret, const struct host *host)
{
    struct metric_samples *s = calloc(1, sizeof(*s));
    int r = s ? metrics_create(&s->metrics, host) : -ENOMEM;

    if (r < 0) {
        free(s);
        return r;
    }
    text_init(&s->text, TEXT_BYTES_MAX);
    *ret = s;
    return 0;
}

void metric_samples_destroy(struct metric_samples *s)
{
    if (!s)
        return;
    metrics_destroy(s->metrics);
    text_free(&s->text);
    free(s->taken);
    free(s->offsets);
    free(s->samples);
    free(s->pairs);
    free(s);
}

static bool wants(void *ctx, const struct metric_family *family)
{
    struct metric_samples *s = ctx;
    const char *const suffixes[] = {metric_suffix(family->type), "_sum", "_count"};
    bool histogram = family->type == METRIC_HISTOGRAM;
    char name[NAME_BYTES];

    for (size_t i = histogram; i < (histogram ? 3u : 1u); i++) {
        snprintf(name, sizeof(name), "%s%s", family->name, suffixes[i]);
        if (s->wants(s->ctx, name))
            return true;
    }
    return false;
}

static size_t keep(struct metric_samples *s, const char *string)
{
    size_t at = s->text.len;

    text_add_n(&s->text, string, strlen(string) + 1);
    return at;
}

static void take(void *ctx, const char *name, const struct label *labels, size_t label_count,
                 double value)
{
    struct metric_samples *s = ctx;

    if (s->count == METRIC_SAMPLES_MAX || s->failed)
        return;
    if (!ARRAY_GROW(s->taken, s->capacity, s->count + 1) ||
        !ARRAY_GROW(s->offsets, s->offset_capacity, s->offset_count + 2 * label_count)) {
        s->failed = true;
        return;
    }
    s->taken[s->count++] = (struct taken){keep(s, name), s->offset_count / 2, label_count, value};
    for (size_t i = 0; i < label_count; i++) {
        s->offsets[s->offset_count++] = keep(s, labels[i].name);
        s->offsets[s->offset_count++] = keep(s, labels[i].value ? labels[i].value : "");
    }
}

/* Now that nothing moves any more. */
static bool settle(struct metric_samples *s)
{
    if (!ARRAY_GROW(s->samples, s->sample_capacity, s->count) ||
        !ARRAY_GROW(s->pairs, s->pair_capacity, s->offset_count / 2))
        return false;
    for (size_t i = 0; i < s->offset_count; i += 2)
        s->pairs[i / 2] =
            (struct label){s->text.data + s->offsets[i], s->text.data + s->offsets[i + 1]};
    for (size_t i = 0; i < s->count; i++)
        s->samples[i] = (struct sample){
            .metric = s->text.data + s->taken[i].name,
            .labels = s->pairs ? s->pairs + s->taken[i].first_pair : NULL,
            .label_count = s->taken[i].pair_count,
            .value = s->taken[i].value,
        };
    return true;
}

int metric_samples_take(struct metric_samples *s, const struct facts *facts,
                        bool (*wanted)(void *ctx, const char *metric), void *ctx,
                        const struct sample **ret, size_t *ret_count)
{
    const struct exposition_sink sink = {wants, take, s};

    s->wants = wanted;
    s->ctx = ctx;
    s->count = s->offset_count = 0;
    s->failed = false;
    text_reset(&s->text);
    metrics_walk(s->metrics, &sink, facts);
    if (s->failed || s->text.failed || !settle(s))
        return -ENOMEM;
    *ret = s->samples;
    *ret_count = s->count;
    return 0;
}
