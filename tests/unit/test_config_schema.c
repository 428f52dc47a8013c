/* The generated documents: the checked-in schema is the generated one, and the checked-in file
 * holds the defaults that the schema states. */
#include "base/file.h"
#include "config/document.h"
#include "paths.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_checked_in_schema_is_the_generated_one(void **state)
{
    struct text schema;
    char *checked_in;
    size_t len;

    text_init(&schema, 1 << 20);
    config_schema(&schema);
    assert_false(schema.failed);
    assert_int_equal(
        file_read_all(TEST_CONFIG_DIRECTORY, "monitoring.schema.json", 1 << 20, &checked_in, &len),
        0);
    /* Mend: moonwatch check --schema > config/monitoring.schema.json */
    assert_string_equal(checked_in, schema.data);
    free(checked_in);
    text_free(&schema);
}

static size_t compare_defaults(const cJSON *schema, const cJSON *value)
{
    const cJSON *properties = cJSON_GetObjectItem(schema, "properties"), *property;
    size_t compared = 0;

    cJSON_ArrayForEach (property, properties) {
        const cJSON *given = cJSON_GetObjectItem(value, property->string);
        const cJSON *initial = cJSON_GetObjectItem(property, "default");

        if (!given)
            continue;
        if (cJSON_IsObject(given)) {
            compared += compare_defaults(property, given);
        } else if (initial) {
            if (!cJSON_Compare(given, initial, true))
                fail_msg("%s is not its default", property->string);
            compared++;
        }
    }
    return compared;
}

static void the_checked_in_file_holds_the_defaults(void **state)
{
    struct text schema;
    cJSON *parsed, *value;
    char *content;
    size_t len;

    text_init(&schema, 1 << 20);
    config_schema(&schema);
    parsed = cJSON_Parse(schema.data);
    assert_non_null(parsed);
    assert_int_equal(
        file_read_all(TEST_CONFIG_DIRECTORY, "monitoring.json", 1 << 20, &content, &len), 0);
    value = cJSON_Parse(content);
    assert_non_null(value);
    assert_in_range(compare_defaults(parsed, value), 40, 500);
    cJSON_Delete(parsed);
    cJSON_Delete(value);
    free(content);
    text_free(&schema);
}

static void the_reference_has_a_table_per_section(void **state)
{
    static const char *const expected[] = {
        "#### `health_monitor`\n",
        "#### `fleet`\n",
        "| `check_interval` | a number from 1 to 86400 s | `30` | `HEALTH_CHECK_INTERVAL` |",
        "| `thresholds.cpu_warning` | a number above 0 up to 100 % | `70` | |",
        "| `[].name` |",
        ("| `[].breaker.failure_threshold` | a whole number from 1 to 10000 | as "
         "`/circuit_breaker/failure_threshold` |"),
        "| `rules[].metric` |",
    };
    struct text reference;
    const char *line, *next;
    size_t i, bars;

    text_init(&reference, 1 << 20);
    config_reference(&reference);
    assert_false(reference.failed);
    for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (!strstr(reference.data, expected[i]))
            fail_msg("no %s", expected[i]);
    /* Every row has its five cells: none of them holds a bar of its own. */
    for (line = reference.data; (next = strchr(line, '\n')); line = next + 1) {
        if (*line != '|')
            continue;
        for (bars = 0; line < next; line++)
            bars += *line == '|' && line[-1] != '\\';
        assert_int_equal(bars, 6);
    }
    text_free(&reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checked_in_schema_is_the_generated_one),
        cmocka_unit_test(the_checked_in_file_holds_the_defaults),
        cmocka_unit_test(the_reference_has_a_table_per_section),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
