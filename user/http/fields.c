#include "http/fields.h"
#include "abi/slots.h"
#include "alert/labels.h"
#include "base/clock.h"
#include "base/text.h"
#include "model/histogram.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Nanoseconds are reported in seconds down to the microsecond: the histograms resolve no finer. */
#define SECONDS_DECIMALS 6

struct latency_view {
    uint64_t count;
    struct reading mean, p50, p95, p99, max;
};

#define SECONDS(name, member, description)                                                         \
    {                                                                                              \
        .key = (name), .kind = FIELD_READING, .offset = offsetof(struct latency_view, member),     \
        .decimals = SECONDS_DECIMALS, .about = (description)                                       \
    }

static const struct field latency_fields[] = {
    {.key = "count",
     .kind = FIELD_U64,
     .offset = offsetof(struct latency_view, count),
     .about = "observations"},
    SECONDS("mean_seconds", mean, "arithmetic mean"),
    SECONDS("p50_seconds", p50, "median, interpolated inside a power-of-two bucket"),
    SECONDS("p95_seconds", p95, "95th percentile, likewise"),
    SECONDS("p99_seconds", p99, "99th percentile, likewise"),
    SECONDS("max_seconds", max, "upper bound of the highest bucket in use"),
};

const struct field_table latency_table =
    FIELD_TABLE("Latency", latency_fields, "A distribution of durations.");

static double rounded(double value, unsigned decimals)
{
    static const double powers[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    double power = powers[decimals < 7 ? decimals : 6];
    double r = round(value * power) / power;

    return r == 0 ? 0 : r; /* no "-0" */
}

static int add_item(cJSON *out, const char *key, cJSON *item)
{
    if (!item)
        return -ENOMEM;
    if (!cJSON_AddItemToObjectCS(out, key, item)) {
        cJSON_Delete(item);
        return -ENOMEM;
    }
    return 0;
}

static int add_reason(cJSON *out, const char *key, const char *why)
{
    char name[96];

    snprintf(name, sizeof(name), "%s_reason", key);
    return cJSON_AddStringToObject(out, name, why ? why : "unknown") ? 0 : -ENOMEM;
}

static int add_unknown(cJSON *out, const char *key, const char *why)
{
    int r = add_item(out, key, cJSON_CreateNull());

    return r ? r : add_reason(out, key, why);
}

static int add_stale(cJSON *out, const struct field *f, const struct last_value *last)
{
    char name[96];
    cJSON *stale;

    snprintf(name, sizeof(name), "%s_stale", f->key);
    stale = cJSON_AddObjectToObject(out, name);
    if (!stale || !cJSON_AddNumberToObject(stale, "value", rounded(last->value, f->decimals)) ||
        !cJSON_AddNumberToObject(stale, "age_seconds",
                                 rounded((double)last->age_ns / NS_PER_SECOND, 3)))
        return -ENOMEM;
    return 0;
}

/* What a field is rendered from: its place in the structure, and the structure itself. */
struct rendered {
    const void *at, *object, *ctx;
};

static int add_number(cJSON *out, const struct field *f, double value)
{
    if (!isfinite(value))
        return add_unknown(out, f->key, f->unknown);
    return add_item(out, f->key, cJSON_CreateNumber(rounded(value, f->decimals)));
}

static int add_reading(cJSON *out, const struct field *f, const struct rendered *s)
{
    const struct reading *reading = s->at;
    int r;

    if (reading_known(*reading))
        return add_number(out, f, reading->value);
    r = add_unknown(out, f->key, reading->missing);
    return r == 0 && reading->last ? add_stale(out, f, reading->last) : r;
}

static int add_double(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_number(out, f, *(const double *)s->at);
}

static int add_u64(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_number(out, f, (double)*(const uint64_t *)s->at);
}

static int add_u32(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_number(out, f, *(const uint32_t *)s->at);
}

static int add_i32(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_number(out, f, *(const int32_t *)s->at);
}

static int add_duration(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_number(out, f, (double)*(const uint64_t *)s->at / NS_PER_SECOND);
}

static int add_bool(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_item(out, f->key, cJSON_CreateBool(*(const bool *)s->at));
}

/* Names of processes, cgroups and mounts may hold any bytes; cJSON passes on what it is given. */
static cJSON *create_string(const char *value, bool is_name)
{
    struct text quoted;
    cJSON *item;

    if (is_name ? text_is_name(value) : text_is_clean(value))
        return cJSON_CreateString(value);
    text_init(&quoted, (size_t)16 * FIELD_TEXT_BYTES);
    (is_name ? text_add_json_name : text_add_json_string)(&quoted, value, FIELD_TEXT_BYTES);
    item = quoted.failed ? NULL : cJSON_CreateRaw(quoted.data);
    text_free(&quoted);
    return item;
}

static int add_text(cJSON *out, const struct field *f, const char *value, bool is_name)
{
    return value ? add_item(out, f->key, create_string(value, is_name))
                 : add_unknown(out, f->key, f->unknown);
}

static int add_chars(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_text(out, f, *(const char *)s->at || !f->unknown ? s->at : NULL, true);
}

static int add_string(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_text(out, f, *(const char *const *)s->at, false);
}

static int add_computed(cJSON *out, const struct field *f, const struct rendered *s)
{
    struct field_text text;

    text.object = s->object;
    text.ctx = s->ctx;
    return add_text(out, f, f->text(&text), false);
}

static int add_time(cJSON *out, const struct field *f, const struct rendered *s)
{
    uint64_t realtime_ns = *(const uint64_t *)s->at;
    char buffer[CLOCK_RFC3339_BYTES];

    if (realtime_ns)
        clock_format_rfc3339(realtime_ns, buffer);
    return add_text(out, f, realtime_ns ? buffer : NULL, false);
}

static int add_status(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_text(out, f, status_name(*(const enum status *)s->at), false);
}

static int add_sentence(cJSON *list, const char *sentence)
{
    cJSON *item = create_string(sentence, false);

    if (item && cJSON_AddItemToArray(list, item))
        return 0;
    cJSON_Delete(item);
    return -ENOMEM;
}

static int add_strings(cJSON *out, const struct field *f, const struct rendered *s)
{
    const char *const *strings = s->at;
    size_t count = *(const size_t *)((const char *)s->object + f->count_offset);
    cJSON *list = cJSON_CreateArray();
    int r = add_item(out, f->key, list);

    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_sentence(list, strings[i]);
    return r;
}

static int add_reasons(cJSON *out, const struct field *f, const struct rendered *s)
{
    const struct reasons *reasons = *(const struct reasons *const *)s->at;
    cJSON *list = cJSON_CreateArray();
    int r = add_item(out, f->key, list);

    for (size_t i = 0; r == 0 && reasons && i < reasons->count; i++)
        r = add_sentence(list, reasons->text[i]);
    if (r == 0 && reasons && reasons->suppressed) {
        char more[48];

        snprintf(more, sizeof(more), "and %zu more", reasons->suppressed);
        r = add_sentence(list, more);
    }
    return r;
}

static int add_labels(cJSON *out, const struct field *f, const struct rendered *s)
{
    const struct labels *labels = *(const struct labels *const *)s->at;
    cJSON *object = cJSON_CreateObject();
    int r = add_item(out, f->key, object);

    for (size_t i = 0; r == 0 && i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        cJSON *value = create_string(pair.value, false);

        if (!value || !cJSON_AddItemToObject(object, pair.name, value)) {
            cJSON_Delete(value);
            return -ENOMEM;
        }
    }
    return r;
}

static int add_object(cJSON *out, const char *key, const struct field_table *table,
                      const void *object, const void *ctx)
{
    cJSON *item = cJSON_CreateObject();
    int r = add_item(out, key, item);

    return r ? r : fields_render(item, table, object, ctx);
}

static int add_structure(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_object(out, f->key, f->table, s->at, s->ctx);
}

static struct reading ns_to_seconds(struct reading ns)
{
    return reading_known(ns) ? reading_of(ns.value / NS_PER_SECOND) : ns;
}

static int add_latency(cJSON *out, const struct field *f, const struct rendered *s)
{
    const struct latency *l = s->at;
    struct latency_view view = {
        .count = l->count,
        .p50 = ns_to_seconds(latency_quantile_ns(l, 0.50)),
        .p95 = ns_to_seconds(latency_quantile_ns(l, 0.95)),
        .p99 = ns_to_seconds(latency_quantile_ns(l, 0.99)),
        .max = ns_to_seconds(latency_max_ns(l)),
    };

    view.mean =
        l->count ? reading_of((double)l->sum_ns / (double)l->count / NS_PER_SECOND) : view.p50;
    return add_object(out, f->key, &latency_table, &view, NULL);
}

static int add_rows(cJSON *out, const struct field *f, const struct rendered *s, const char *rows)
{
    size_t count = rows ? *(const size_t *)((const char *)s->object + f->count_offset) : 0;
    cJSON *list = cJSON_CreateArray();
    int r = add_item(out, f->key, list);

    for (size_t i = 0; r == 0 && i < count; i++) {
        cJSON *item = cJSON_CreateObject();

        if (!item || !cJSON_AddItemToArray(list, item))
            return -ENOMEM;
        r = fields_render(item, f->table, rows + i * f->stride, s->ctx);
    }
    return r;
}

static int add_rows_at(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_rows(out, f, s, *(const char *const *)s->at);
}

static int add_rows_in_place(cJSON *out, const struct field *f, const struct rendered *s)
{
    return add_rows(out, f, s, s->at);
}

static int (*const adders[FIELD_KIND_COUNT])(cJSON *, const struct field *,
                                             const struct rendered *) = {
    [FIELD_READING] = add_reading,   [FIELD_DOUBLE] = add_double,
    [FIELD_U64] = add_u64,           [FIELD_U32] = add_u32,
    [FIELD_I32] = add_i32,           [FIELD_BOOL] = add_bool,
    [FIELD_CHARS] = add_chars,       [FIELD_STRING] = add_string,
    [FIELD_TEXT] = add_computed,     [FIELD_TIME] = add_time,
    [FIELD_DURATION] = add_duration, [FIELD_STATUS] = add_status,
    [FIELD_REASONS] = add_reasons,   [FIELD_LABELS] = add_labels,
    [FIELD_LATENCY] = add_latency,   [FIELD_OBJECT] = add_structure,
    [FIELD_LIST] = add_rows_at,      [FIELD_ROWS] = add_rows_in_place,
    [FIELD_STRINGS] = add_strings,
};

static int add_missing(cJSON *out, const struct field *f, const struct rendered *s, const char *why)
{
    const struct reading *reading = f->kind == FIELD_READING && s->object ? s->at : NULL;
    int r;

    if (!field_is_list(f)) {
        r = add_unknown(out, f->key, why);
        return r == 0 && reading && reading->last ? add_stale(out, f, reading->last) : r;
    }
    r = add_item(out, f->key, cJSON_CreateArray());
    return r ? r : add_reason(out, f->key, why);
}

static int render(cJSON *out, const struct field_table *table, const void *object, const void *ctx,
                  const char *missing)
{
    int r = 0;

    if (!missing)
        missing = field_reason(object, table->missing_at);
    for (size_t i = 0; r == 0 && i < table->count; i++) {
        const struct field *f = &table->fields[i];
        struct rendered source = {(const char *)object + f->offset, object, ctx};
        const char *why = missing ? missing : field_reason(object, f->missing_at);

        if (f->kind == FIELD_MERGE)
            r = render(out, f->table, object ? *(const void *const *)source.at : NULL, ctx, why);
        else if (!f->key)
            continue;
        else if (why && !f->identity)
            r = add_missing(out, f, &source, why);
        else
            r = adders[f->kind](out, f, &source);
    }
    return r;
}

int fields_render(cJSON *out, const struct field_table *table, const void *object, const void *ctx)
{
    return render(out, table, object, ctx, NULL);
}
