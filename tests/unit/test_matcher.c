/* Label sets, fingerprints, and matchers: what they match and how bad ones are refused. */
#include "alert/matcher.h"
#include "base/fitted_name.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PAIRS(...)                                                                                 \
    (const struct label[]){__VA_ARGS__},                                                           \
        sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)

static struct labels *labels_of(const struct label *pairs, size_t count)
{
    struct labels *labels = NULL;

    assert_int_equal(labels_create(&labels, pairs, count), 0);
    return labels;
}

static void fnv_gives_the_published_values(void **state)
{
    /* From the authors' test suite, http://www.isthe.com/chongo/tech/comp/fnv/. */
    assert_true(fnv_bytes(FNV_START, "", 0) == 0xcbf29ce484222325ULL);
    assert_true(fnv_bytes(FNV_START, "a", 1) == 0xaf63dc4c8601ec8cULL);
    assert_true(fnv_bytes(FNV_START, "foobar", 6) == 0x85944171f73967e8ULL);
}

static void order_and_empty_values_make_no_difference(void **state)
{
    struct labels *a = labels_of(PAIRS({"b", "2"}, {"a", "1"}, {"c", ""}, {"d", NULL}));
    struct labels *b = labels_of(PAIRS({"a", "0"}, {"b", "2"}, {"a", "1"}));
    struct labels *c = labels_of(PAIRS({"a", "1b"}, {"b", "2"}));

    assert_int_equal(labels_count(a), 2);
    assert_string_equal(labels_at(a, 0).name, "a");
    assert_string_equal(labels_get(a, "a"), "1");
    assert_string_equal(labels_get(a, "c"), "");
    assert_true(labels_equal(a, b));
    assert_true(labels_fingerprint(a) == labels_fingerprint(b));
    assert_false(labels_equal(a, c));
    assert_false(labels_fingerprint(a) == labels_fingerprint(c));
    labels_unref(labels_ref(a));
    labels_unref(a);
    labels_unref(b);
    labels_unref(c);
}

/* Changing it would orphan every ack and silence that was saved under it. */
static void the_fingerprint_stays_as_it_is(void **state)
{
    struct labels *labels = labels_of(PAIRS({"alertname", "HostCpu"}));

    /* head -c 8 /dev/zero, then the pairs with their NULs, | sha256sum */
    assert_true(labels_fingerprint(labels) == 0xf81e80b202810efcULL);
    labels_unref(labels);
}

/* Who may choose his name does not take another's for it. */
static void a_name_that_looks_like_another_is_another(void **state)
{
    struct labels *bad = labels_of(PAIRS({"comm", "x\x9b"}));
    struct labels *looks = labels_of(PAIRS({"comm", "x\xef\xbf\xbd"
                                                    "9b"}));
    struct labels *again = NULL;

    assert_false(labels_equal(bad, looks));
    assert_string_not_equal(labels_get(bad, "comm"), labels_get(looks, "comm"));
    for (int i = 0; i < 2; i++) {
        struct labels *first = i ? looks : bad;

        assert_int_equal(labels_create_again(&again, PAIRS({"comm", labels_get(first, "comm")})),
                         0);
        assert_true(labels_equal(first, again));
        labels_unref(again);
    }
    labels_unref(bad);
    labels_unref(looks);
}

static void a_long_name_ends_in_a_hash_that_nobody_forges(void **state)
{
    char name[302], fitted[256];

    memset(name, 'x', sizeof(name));
    name[0] = '/';
    name[301] = '\0';
    fitted_name(name, fitted, sizeof(fitted));
    assert_int_equal(strlen(fitted), 255);
    /* printf '/%0300d' 0 | tr 0 x | sha256sum */
    assert_string_equal(fitted + 222, "~2f2e149caf438697dcb448f24724e955");
    name[200] = '\0';
    fitted_name(name, fitted, sizeof(fitted));
    assert_string_equal(fitted, name);
}

static void too_many_labels_are_refused(void **state)
{
    struct label pairs[LABELS_MAX + 1];
    char names[LABELS_MAX + 1][8];
    struct labels *labels = NULL;
    char *large = calloc(1, LABELS_BYTES_MAX + 1);

    for (size_t i = 0; i < LABELS_MAX + 1; i++) {
        snprintf(names[i], sizeof(names[i]), "l%zu", i);
        pairs[i] = (struct label){names[i], "x"};
    }
    assert_int_equal(labels_create(&labels, pairs, LABELS_MAX + 1), -E2BIG);
    assert_null(labels);
    assert_int_equal(labels_create(&labels, pairs, LABELS_MAX), 0);
    labels_unref(labels);
    memset(large, 'x', LABELS_BYTES_MAX);
    assert_int_equal(labels_create(&labels, PAIRS({"a", large})), -E2BIG);
    free(large);
}

static void matchers_match_as_in_prometheus(void **state)
{
    static const struct {
        const char *text;
        bool matches;
    } cases[] = {
        {"mount=\"/var\"", true},
        {"mount=/var", true},
        {"mount=\"/va\"", false},
        {"mount!=\"/va\"", true},
        {"mount=~\"/v.*\"", true},
        {"mount=~\"/v\"", false}, /* the whole value */
        {"mount=~\"/tmp|/var\"", true},
        {"mount=~\"x|\"", false},
        {"mount!~\"/tmp|/v\"", true},
        {"mount!~\"/v.+\"", false},
        {"device=\"\"", true}, /* not there */
        {"device!=\"\"", false},
        {"device=~\".*\"", true},
        {"device=~\".+\"", false},
        {"{mount=\"/var\",severity=\"critical\"}", true},
        {" { mount = \"/var\" , severity =~ \"warn.*\" } ", false},
        {"quote=\"a\\\"b\\\\c\"", true},
        {"severity=critical,severity!=warning", true},
        {"cgroup=\"/app.slice/a\"", true},
        {"cgroup=app.slice/a", true},
        {"cgroup!=app.slice/a/", false},
        {"cgroup=app.slice", false},
        {"cgroup=\"\"", false},
        {"cgroup=~app.slice/a", false}, /* an expression is what it says */
    };
    struct labels *labels = labels_of(PAIRS({"mount", "/var"}, {"severity", "warning"},
                                            {"quote", "a\"b\\c"}, {"cgroup", "/app.slice/a"}));

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct matchers *matchers = NULL, *again = NULL;
        char error[MATCHER_ERROR_BYTES] = "";
        struct text text;

        if (matchers_parse(&matchers, cases[i].text, error) < 0)
            fail_msg("%s: %s", cases[i].text, error);
        if (matchers_match(matchers, labels, "critical") != cases[i].matches)
            fail_msg("%s should %smatch", cases[i].text, cases[i].matches ? "" : "not ");
        /* What is written reads back. */
        text_init(&text, 1024);
        matchers_format(matchers, &text);
        assert_int_equal(matchers_parse(&again, text.data, error), 0);
        assert_int_equal(matchers_match(again, labels, "critical"), cases[i].matches);
        text_free(&text);
        matchers_destroy(matchers);
        matchers_destroy(again);
    }
    labels_unref(labels);
}

static void bad_matchers_say_what_and_where(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "column 1: no label name"},
        {"{}", "column 2: no label name"},
        {"1a=\"b\"", "column 1: no label name"},
        {"a", "column 2: no operator (allowed: = != =~ !~)"},
        {"a==\"b\"", "column 3: no value"},
        {"a>\"b\"", "column 2: no operator"},
        {"a=", "column 3: no value"},
        {"a=\"b", "column 3: the quote is not closed"},
        {"a=\"b\\d\"", "column 5: a backslash"},
        {"a=\"b\\", "column 5: a backslash"},
        {"a=\"b\" c=\"d\"", "column 7: unexpected \"c=\"d\"\""},
        {"a=\"b\",", "column 7: no label name"},
        {"{a=\"b\"", "column 7: the brace is not closed"},
        {"a=\"b\"}", "column 6: unexpected \"}\""},
        {"a=~\"(\"", "the regular expression is wrong: "},
        {"a=~\"x)(y\"", "the regular expression is wrong: "},
        {"a=~\"[\"", "the regular expression is wrong: "},
        {"a=~\"*(\"", "the regular expression is wrong: "},
        {"a=~\"(a)\\\\1\"", "a back reference \\1"},
        {"a=~\"((a{1,99}){1,99}){1,99}\"", "{...} repeats more than 1000 times"},
        {"a=~\"x+++++++++++++++++++++|y\"", "a repeat of a repeat (+)"},
        {"a=~\"[\\\\]x{255}{255}{255}\"", "missing terminating ]"},
        {"a=~\"[\\\\\\\\]x{255}{255}{255}\"", "a repeat of a repeat ({255})"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct matchers *matchers = NULL;
        char error[MATCHER_ERROR_BYTES] = "";

        if (matchers_parse(&matchers, cases[i].text, error) != -EINVAL)
            fail_msg("%s is accepted", cases[i].text);
        if (!strstr(error, cases[i].error))
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, error, cases[i].error);
        assert_null(matchers);
    }
}

static void long_values_and_lists_are_refused(void **state)
{
    struct matchers *matchers = NULL;
    char error[MATCHER_ERROR_BYTES];
    char text[1024] = "a=\"";

    memset(text + 3, 'x', 300);
    strcpy(text + 303, "\"");
    assert_int_equal(matchers_parse(&matchers, text, error), -EINVAL);
    assert_non_null(strstr(error, "longer than 255 bytes"));
    text[0] = '\0';
    for (int i = 0; i < MATCHERS_MAX + 1; i++)
        strcat(text, i ? ",a=b" : "a=b");
    assert_int_equal(matchers_parse(&matchers, text, error), -EINVAL);
    assert_non_null(strstr(error, "more than 64"));
    assert_null(matchers);
}

/* Every byte changed to every kind of byte: no crash, no leak (the sanitizers tell). */
static void damaged_texts_are_parsed_or_refused(void **state)
{
    static const char whole[] = "{a=\"b\", c!=\"d\\\"\", e=~\"f|g{1,2}[h]\", i!~\"j\"}";
    static const char bytes[] = "\"\\{}(),=!~[]*|1a \n\xff";
    char text[sizeof(whole)], error[MATCHER_ERROR_BYTES];
    size_t accepted = 0;

    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        for (size_t b = 0; b < sizeof(bytes); b++) {
            struct matchers *matchers = NULL;

            memcpy(text, whole, sizeof(whole));
            text[i] = bytes[b];
            if (matchers_parse(&matchers, text, error) == 0)
                accepted++;
            matchers_destroy(matchers);
        }
    }
    assert_in_range(accepted, 10, sizeof(whole) * sizeof(bytes) / 2);
}

static void configured_pairs_and_texts_join(void **state)
{
    struct config_pair pair = {"a", "1"};
    const struct config_map equal = {1, &pair};
    char *texts[] = {"b=2", "c=~\"3|4\"", "d=("};
    struct labels *labels = labels_of(PAIRS({"a", "1"}, {"b", "2"}, {"c", "4"}));
    struct labels *other = labels_of(PAIRS({"b", "2"}, {"c", "4"}));
    char error[MATCHER_ERROR_BYTES];
    struct matchers *matchers;
    size_t index = 9;

    assert_int_equal(
        matchers_create(&matchers, &equal, &(struct config_strings){2, texts}, &index, error), 0);
    assert_int_equal(matchers_count(matchers), 3);
    assert_true(matchers_match(matchers, labels, NULL));
    assert_false(matchers_match(matchers, other, NULL));
    assert_false(matchers_match_nothing(matchers));
    matchers_destroy(matchers);
    assert_int_equal(
        matchers_create(&matchers, &equal, &(struct config_strings){3, texts}, &index, error),
        -EINVAL);
    assert_int_equal(index, 2);
    assert_int_equal(matchers_create(&matchers, &(struct config_map){0},
                                     &(struct config_strings){0}, &index, error),
                     0);
    assert_true(matchers_match(matchers, other, NULL));
    assert_true(matchers_match_nothing(matchers));
    matchers_destroy(matchers);
    labels_unref(labels);
    labels_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fnv_gives_the_published_values),
        cmocka_unit_test(order_and_empty_values_make_no_difference),
        cmocka_unit_test(the_fingerprint_stays_as_it_is),
        cmocka_unit_test(a_name_that_looks_like_another_is_another),
        cmocka_unit_test(a_long_name_ends_in_a_hash_that_nobody_forges),
        cmocka_unit_test(too_many_labels_are_refused),
        cmocka_unit_test(matchers_match_as_in_prometheus),
        cmocka_unit_test(bad_matchers_say_what_and_where),
        cmocka_unit_test(long_values_and_lists_are_refused),
        cmocka_unit_test(damaged_texts_are_parsed_or_refused),
        cmocka_unit_test(configured_pairs_and_texts_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
