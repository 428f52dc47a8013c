/* Active checks in the configuration: what an answer may be expected to be, in short and in full,
 * and what fits which type. */
#include "config_text.h"
#include <errno.h>
#include <math.h>

#define SERVICE(check)                                                                             \
    "{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},\"check\":{" check \
    "}}]}"
#define HTTP "\"type\":\"http\",\"url\":\"https://h/\""

static void the_short_forms_stand_for_one_key(void **state)
{
    struct config *config = load_valid(SERVICE(HTTP ",\"expect\":204"), NULL);
    const struct config_expect *expect = &config->services.items->check.expect;

    assert_true(expect->given);
    assert_int_equal(expect->status, 204);
    assert_null(expect->body);
    assert_true(isnan(expect->certificate_days));
    config_destroy(config);
    config = load_valid(SERVICE(HTTP ",\"expect\":\"all well\""), NULL);
    expect = &config->services.items->check.expect;
    assert_true(expect->given);
    assert_int_equal(expect->status, 0);
    assert_string_equal(expect->body, "all well");
    config_destroy(config);
    config = load_valid(SERVICE(HTTP), NULL);
    assert_false(config->services.items->check.expect.given);
    config_destroy(config);
}

static void the_full_form_holds_any_json(void **state)
{
    struct config *config = load_valid(
        SERVICE(HTTP
                ",\"expect\":{\"status\":200,\"body\":\"ok\",\"certificate_days\":14,\"json\":{"
                "\"/status\":\"up\",\"/n/0\":1.5,\"/ready\":true,\"/gone\":null,\"/l\":[1,2]}},"
                "\"token_file\":\"/run/token\",\"ca_file\":\"/etc/ca.pem\""),
        NULL);
    const struct config_check *check = &config->services.items->check;
    static const char *const expected[][2] = {{"/status", "\"up\""},
                                              {"/n/0", "1.5"},
                                              {"/ready", "true"},
                                              {"/gone", "null"},
                                              {"/l", "[1,2]"}};

    assert_int_equal(check->expect.json.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(check->expect.json.items[i].key, expected[i][0]);
        assert_string_equal(check->expect.json.items[i].value, expected[i][1]);
    }
    assert_float_equal(check->expect.certificate_days, 14, 0);
    assert_string_equal(check->token_file, "/run/token");
    config_destroy(config);
}

static void what_does_not_fit_is_named(void **state)
{
    static const struct {
        const char *text, *pointer, *message;
    } cases[] = {
        {SERVICE(HTTP ",\"expect\":99"), "/services/0/check/expect", "99 is out of range"},
        {SERVICE(HTTP ",\"expect\":\"\""), "/services/0/check/expect", "text that is not empty"},
        {SERVICE(HTTP ",\"expect\":[1]"), "/services/0/check/expect",
         "is an array (allowed: an object, a string or a whole number)"},
        {SERVICE(HTTP ",\"expect\":{\"state\":1}"), "/services/0/check/expect/state",
         "the nearest is status"},
        {SERVICE(HTTP ",\"expect\":{\"json\":{\"status\":1}}"),
         "/services/0/check/expect/json/status", "a JSON pointer"},
        {SERVICE(HTTP ",\"expect\":{\"json\":{\"/a~2\":1}}"),
         "/services/0/check/expect/json/~1a~02", "a JSON pointer"},
        {SERVICE("\"type\":\"http\",\"url\":\"http://h/\",\"expect\":{\"certificate_days\":3}"),
         "/services/0/check/expect/certificate_days", "(allowed: with http with https://"},
        {SERVICE("\"type\":\"tcp\",\"url\":\"tcp://h:1\",\"expect\":200"),
         "/services/0/check/expect/status", "does not fit type tcp (allowed: with http)"},
        {SERVICE("\"type\":\"postgres\",\"url\":\"postgres://h\",\"expect\":\"x\""),
         "/services/0/check/expect/body", "(allowed: with http, redis)"},
        {SERVICE("\"type\":\"tcp\",\"url\":\"tcp://h:1\",\"password_file\":\"/p\""),
         "/services/0/check/password_file", "does not fit type tcp"},
        {SERVICE("\"type\":\"redis\",\"url\":\"redis://h\",\"token_file\":\"/p\""),
         "/services/0/check/token_file", "does not fit type redis"},
        {SERVICE("\"type\":\"http\",\"url\":\"http://h\",\"ca_file\":\"/p\""),
         "/services/0/check/ca_file", "does not fit type http"},
        {SERVICE("\"type\":\"redis\",\"url\":\"redis://h:99999\""), "/services/0/check/url",
         "a port from 1 to 65535"},
        {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"fallback\":{\"strategy\":"
         "\"cached\"}}]}",
         "/upstreams/0/fallback/strategy", "with a check of type http"},
        {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"check\":{" HTTP
         "},\"fallback\":{\"strategy\":\"cached\",\"paths\":[\"a b\"]}}]}",
         "/upstreams/0/fallback/paths/0", "a path of the URL"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_errors errors;
        struct config *config = NULL;
        int r = load_bytes(&config, cases[i].text, strlen(cases[i].text), NULL, &errors);

        if (r != -EINVAL || errors.count != 1 ||
            strcmp(errors.list[0].pointer, cases[i].pointer) != 0 ||
            !strstr(errors.list[0].message, cases[i].message))
            fail_msg("%s: %d, %s: %s", cases[i].text, r, r ? errors.list[0].pointer : "",
                     r ? errors.list[0].message : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_forms_stand_for_one_key),
        cmocka_unit_test(the_full_form_holds_any_json),
        cmocka_unit_test(what_does_not_fit_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
