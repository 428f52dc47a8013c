/* What is accepted and has no effect so far is said; nothing else is. */
#include "config/document.h"
#include "config_text.h"
#include "paths.h"
#include <stdlib.h>

#define SERVICE "{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},"
#define RULE "{\"alert_manager\":{\"rules\":[{\"name\":\"a\",\"severity\":\"error\",\"kind\":"

static void check_warning(const char *text, char *const *environment, const char *pointer)
{
    struct config_errors errors;
    struct config *config = NULL;

    if (load_bytes(&config, text, strlen(text), environment, &errors) < 0)
        fail_msg("%s: %s: %s", text, errors.list[0].pointer, errors.list[0].message);
    config_destroy(config);
    if (!pointer) {
        if (errors.warning_count)
            fail_msg("%s: %s: %s", text, errors.warnings[0].pointer, errors.warnings[0].message);
        return;
    }
    if (errors.warning_count != 1)
        fail_msg("%s: %zu warnings", text, errors.warning_count);
    assert_string_equal(errors.warnings[0].pointer, pointer);
    assert_non_null(strstr(errors.warnings[0].message, "not in this version"));
}

static void what_has_no_effect_is_named(void **state)
{
    static const struct {
        const char *text, *pointer;
    } given[] = {
        {"{\"privacy\":{\"anonymize_processes\":true,\"anonymize_addresses\":true}}", "/privacy"},
        {"{\"healing\":{\"mode\":\"act\"}}", "/healing"},
        {"{\"tuning\":{\"parameters\":[]}}", "/tuning"},
        {"{\"prediction\":{}}", "/prediction"},
        {"{\"history\":{\"retention\":3600}}", "/history"},
        {"{\"fleet\":{\"name\":\"here\"}}", "/fleet"},
        {SERVICE "\"priority\":\"high\"}]}", "/services/0/priority"},
        {SERVICE "\"healing\":{\"mode\":\"act\",\"actions\":[\"restart\"]}}]}",
         "/services/0/healing"},
        {"{\"performance_tracker\":{\"enabled\":false}}", "/performance_tracker/enabled"},
        {"{\"performance_tracker\":{\"optimization_interval\":5}}",
         "/performance_tracker/optimization_interval"},
        {RULE "\"anomaly\"}]}}", "/alert_manager/rules/0/kind"},
        {RULE "\"forecast\"}]}}", "/alert_manager/rules/0/kind"},
    };

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
        check_warning(given[i].text, NULL, given[i].pointer);
}

static void a_variable_without_effect_is_named(void **state)
{
    static char *const off[] = {"PERFORMANCE_TRACKING=0", NULL};
    static char *const on[] = {"PERFORMANCE_TRACKING=1", NULL};

    check_warning("{}", off, "environment PERFORMANCE_TRACKING");
    check_warning("{}", on, NULL);
}

static void what_has_an_effect_is_not(void **state)
{
    check_warning("{}", NULL, NULL);
    check_warning("{\"performance_tracker\":{\"enabled\":true,\"optimization_interval\":60}}", NULL,
                  NULL);
    check_warning(SERVICE "\"priority\":\"normal\"}]}", NULL, NULL);
    check_warning(RULE "\"degradation\"}]}}", NULL, NULL);
    check_warning("{\"health_monitor\":{\"enabled\":false}}", NULL, NULL);
}

static void the_file_that_is_shipped_has_an_effect(void **state)
{
    struct config_errors errors;
    struct config *config = NULL;

    assert_int_equal(config_load(&config, TEST_CONFIG_DIRECTORY "/monitoring.json", NULL, &errors),
                     0);
    config_destroy(config);
    assert_int_equal(errors.warning_count, 0);
}

static void more_warnings_than_fit_are_counted(void **state)
{
    struct config_errors errors = {0};

    for (int i = 0; i < 2 * CONFIG_ERRORS_KEPT; i++)
        config_warning_add(&errors, "/a", "%d", i);
    assert_int_equal(errors.warning_count, 2 * CONFIG_ERRORS_KEPT);
    assert_int_equal(errors.count, 0);
    assert_string_equal(errors.warnings[CONFIG_ERRORS_KEPT - 1].message, "31");
}

/* The rows of a table that begins with `name`. */
static void endpoint_row(const char *reference, const char *name, bool later)
{
    const char *row = strstr(reference, name);
    char *line;

    assert_non_null(row);
    line = strndup(row, strcspn(row, "\n"));
    assert_non_null(line);
    if (later != (strstr(line, "not in this version") != NULL))
        fail_msg("%s", line);
    free(line);
}

static void the_reference_says_so_too(void **state)
{
    struct text text;

    text_init(&text, 1 << 20);
    config_reference(&text);
    assert_false(text.failed);
    endpoint_row(text.data, "| `anonymize_processes`", true);
    endpoint_row(text.data, "| `parameters[].minimum`", true);
    endpoint_row(text.data, "| `[].healing.mode`", true);
    endpoint_row(text.data, "| `rules[].kind`", true);
    endpoint_row(text.data, "| `check_interval`", false);
    endpoint_row(text.data, "| `[].kind`", false);
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_effect_is_named),
        cmocka_unit_test(a_variable_without_effect_is_named),
        cmocka_unit_test(what_has_an_effect_is_not),
        cmocka_unit_test(the_file_that_is_shipped_has_an_effect),
        cmocka_unit_test(more_warnings_than_fit_are_counted),
        cmocka_unit_test(the_reference_says_so_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
