/* Tables of fields: values, unknowns with their reasons, and the schema that describes both. */
#include "http/fields.h"
#include "model/histogram.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    uint32_t id;
};

struct thing {
    struct reading reading;
    double number;
    uint64_t big;
    int32_t negative;
    bool flag;
    char chars[16];
    const char *string;
    uint64_t realtime_ns, duration_ns;
    enum status status;
    struct latency latency;
    const char *missing;
    size_t row_count;
    struct row *rows;
};

static const char *shout(struct field_text *text)
{
    return ((const struct thing *)text->object)->flag ? text->ctx : NULL;
}

static const struct field row_fields[] = {
    {.key = "id", .kind = FIELD_U32, .offset = offsetof(struct row, id)}};
static const struct field_table row_table = FIELD_TABLE("Row", row_fields, NULL);

#define AT(name, field_kind, member, ...)                                                          \
    {                                                                                              \
        .key = (name), .kind = (field_kind), .offset = offsetof(struct thing, member), __VA_ARGS__ \
    }

static const struct field sample_fields[] = {
    AT("reading", FIELD_READING, reading, .decimals = 1),
    AT("number", FIELD_DOUBLE, number, .decimals = 3, .unknown = "not a number"),
    AT("big", FIELD_U64, big),
    AT("negative", FIELD_I32, negative),
    AT("flag", FIELD_BOOL, flag),
    AT("chars", FIELD_CHARS, chars, .identity = true),
    AT("string", FIELD_STRING, string, .unknown = "no string"),
    {.key = "text", .kind = FIELD_TEXT, .text = shout, .unknown = "no text"},
    AT("time", FIELD_TIME, realtime_ns, .unknown = "no time"),
    AT("duration", FIELD_DURATION, duration_ns, .decimals = 3),
    AT("status", FIELD_STATUS, status),
    AT("latency", FIELD_LATENCY, latency),
    AT("rows", FIELD_LIST, rows, .table = &row_table, .stride = sizeof(struct row),
       .count_offset = offsetof(struct thing, row_count)),
};

static const struct field_table sample_table =
    FIELD_TABLE("Sample", sample_fields, "a test", .missing_at = MISSING_AT(struct thing, missing));

static char *rendered(const struct thing *sample)
{
    cJSON *json = cJSON_CreateObject();
    char *text;

    assert_int_equal(fields_render(json, &sample_table, sample, "HEY"), 0);
    text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

static void assert_rendered(const struct thing *sample, const char *const *parts)
{
    char *text = rendered(sample);
    cJSON *parsed = cJSON_Parse(text);

    assert_non_null(parsed);
    for (; *parts; parts++)
        if (!strstr(text, *parts))
            fail_msg("%s\nlacks %s", text, *parts);
    cJSON_Delete(parsed);
    free(text);
}

static void test_values(void **state)
{
    struct row rows[] = {{1}, {2}};
    struct thing sample = {
        .reading = reading_of(12.3456),
        .number = -0.0001,
        .big = 1ULL << 52,
        .negative = -1000,
        .flag = true,
        .chars = "a \"b\"",
        .string = "s",
        .realtime_ns = 1000000000ULL,
        .duration_ns = 1500000000ULL,
        .status = STATUS_DEGRADED,
        .rows = rows,
        .row_count = 2,
    };

    sample.latency.count = 1;
    sample.latency.sum_ns = 2000;
    sample.latency.slots[1] = 1;
    assert_rendered(
        &sample, (const char *const[]){
                     "\"reading\":12.3,", "\"number\":0,", "\"big\":4503599627370496,",
                     "\"negative\":-1000,", "\"flag\":true,", "\"chars\":\"a \\\"b\\\"\",",
                     "\"string\":\"s\",", "\"text\":\"HEY\",",
                     "\"time\":\"1970-01-01T00:00:01.000000+00:00\",", "\"duration\":1.5,",
                     "\"status\":\"degraded\",", "\"latency\":{\"count\":1,\"mean_seconds\":2e-06,",
                     "\"rows\":[{\"id\":1},{\"id\":2}]", NULL});
}

static void test_unknown_values(void **state)
{
    struct thing sample = {.reading = reading_missing("why not"), .number = NAN};

    assert_rendered(&sample,
                    (const char *const[]){"\"reading\":null,\"reading_reason\":\"why not\"",
                                          "\"number\":null,\"number_reason\":\"not a number\"",
                                          "\"string\":null,\"string_reason\":\"no string\"",
                                          "\"text\":null,\"text_reason\":\"no text\"",
                                          "\"time\":null,\"time_reason\":\"no time\"",
                                          "\"latency\":{\"count\":0,\"mean_seconds\":null,"
                                          "\"mean_seconds_reason\":\"nothing was counted\"",
                                          "\"rows\":[]", NULL});
}

static void test_missing_whole(void **state)
{
    struct row row = {1};
    struct thing sample = {
        .missing = "gone", .chars = "kept", .big = 7, .rows = &row, .row_count = 1};

    assert_rendered(&sample, (const char *const[]){"\"reading\":null,\"reading_reason\":\"gone\"",
                                                   "\"big\":null,\"big_reason\":\"gone\"",
                                                   "\"chars\":\"kept\"",
                                                   "\"flag\":null,\"flag_reason\":\"gone\"",
                                                   "\"latency\":null,\"latency_reason\":\"gone\"",
                                                   "\"rows\":[],\"rows_reason\":\"gone\"", NULL});
}

/* Names of processes and mounts may hold any bytes; the body stays UTF-8. */
static void test_odd_bytes(void **state)
{
    struct thing sample = {.string = "a\xff\xfe"
                                     "b\n\x01",
                           .chars = "\xc3"};
    char *text = rendered(&sample);
    cJSON *parsed = cJSON_Parse(text);

    assert_non_null(parsed);
    assert_null(strchr(text, '\xff'));
    assert_non_null(strstr(text, "\xef\xbf\xbd"));
    cJSON_Delete(parsed);
    free(text);
}

static void test_schema(void **state)
{
    cJSON *schemas = cJSON_CreateObject(), *schema = fields_schema(&sample_table, schemas);
    char *text = cJSON_PrintUnformatted(schema);

    /* Everything but the identity may be null, since the whole may be missing. */
    assert_non_null(strstr(text, "\"big\":{\"type\":[\"integer\",\"null\"]}"));
    assert_non_null(strstr(text, "\"chars\":{\"type\":\"string\"}"));
    assert_non_null(strstr(text, "\"latency_reason\":{\"type\":\"string\"}"));
    assert_non_null(strstr(text, "\"additionalProperties\":false"));
    assert_non_null(cJSON_GetObjectItem(schemas, "Latency"));
    assert_non_null(cJSON_GetObjectItem(schemas, "Row"));
    free(text);
    cJSON_Delete(schema);
    cJSON_Delete(schemas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_unknown_values),
        cmocka_unit_test(test_missing_whole), cmocka_unit_test(test_odd_bytes),
        cmocka_unit_test(test_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
