/* Regular expressions from strangers: what they match, what is refused, and what they may take. */
#include "alert/matcher.h"
#include "alert/regex.h"
#include "base/clock.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct regex *compiled(const char *pattern)
{
    char error[160] = "";
    struct regex *regex = NULL;

    if (regex_compile(&regex, pattern, error, sizeof(error)) < 0)
        fail_msg("%s: %s", pattern, error);
    assert_in_range(regex_bytes(regex), 1, REGEX_BYTES_MAX);
    return regex;
}

/* `character` that many times, then `end`. From malloc. */
static char *repeated(char character, size_t times, const char *end)
{
    char *s = malloc(times + strlen(end) + 1);

    assert_non_null(s);
    memset(s, character, times);
    strcpy(s + times, end);
    return s;
}

/* The right answers are those of Go's regexp for ^(?s:PATTERN)$. */
static void expressions_mean_what_they_do_in_re2(void **state)
{
    static const struct {
        const char *pattern, *value;
        bool matches;
    } cases[] = {
        {"a|ab", "ab", true}, /* the whole value */
        {"a|ab", "abc", false},
        {"web.*1", "web1", true},
        {"web.*1", "web10", false}, /* a match may go on, and then comes to nothing */
        {"web.*1", "web101", true},
        {"", "", true},
        {"", "a", false},
        {"x$", "x\n", false},
        {".*", "a\nb", true},
        {"(?-s).*", "a\nb", false},
        {"(?i)node", "NoDe", true},
        {"a(?i:b)c", "aBc", true},
        {"(?i)[\xd0\xb0-\xd1\x8f]+", "\xd0\x90\xd1\x8f", true}, /* from a to ya */
        {"(?i)[\\x{4e00}-\\x{9fff}k-m]", "L", true},
        {"[\x01-\xf4\x8f\xbf\xbf]", "a", true},
        {"[[:digit:]a-c-][x-]", "--", true},
        {"(?P<n>a)(?<m>b)", "ab", true},
        {"[[:alpha:]]+", "abc", true},
        {"[]a]+", "]a", true},
        {"[^]a]+", "]", false},
        {"[\\]\\-]+", "]-", true},
        {"\\Qa.b(\\E.", "a.b(c", true},
        {"\\Qa.b(\\E.", "aXb(c", false},
        {"\\x41\\x{42}", "AB", true},
        {"\\d+", "\xd9\xa3", false}, /* digits are ASCII */
        {"\\pL", "\xc3\xa9", true},
        {".", "\xc3\xa9", true}, /* a character, not a byte */
        {".", "\xff", true},
        {"a.b", "a\xffz", false},
        {".*", "a\xff\xc3z\xc3", true},
        {"a..", "a\xff\xff", true},
        {"a.", "a\xff\xff", false},
        {"[^\xc3\xa9]", "\xff", true},
        {"a{2}b{1,}c{0,1}", "aabbb", true},
        {"a??b*?c+?", "bbc", true},
        {"foo{bar}", "foo{bar}", true},
        {"(a{10}){10}", "aaaaaaaaaa", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex = compiled(cases[i].pattern);

        if (regex_match(regex, cases[i].value, NULL) != (cases[i].matches ? REGEX_YES : REGEX_NO))
            fail_msg("%s, %s", cases[i].pattern, cases[i].value);
        regex_destroy(regex);
    }
}

/* Every value of two letters up to a length. */
static void the_whole_value_matches_or_nothing_does(void **state)
{
    static const char *const patterns[] = {"a.*b",     ".*a",          "a*b",   "(ab)*a",
                                           "a|ab|abb", "(a|b)*b",      "a+b+?", "(a|aa)*?b",
                                           "b?.?a",    "((a|b)(a|b))*"};

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct regex *regex = compiled(patterns[i]), *ended;
        char pattern[32];

        snprintf(pattern, sizeof(pattern), "(?:%s)$", patterns[i]);
        ended = compiled(pattern);
        for (unsigned length = 0; length <= 8; length++) {
            for (unsigned letters = 0; letters < 1U << length; letters++) {
                char value[9] = "";

                for (unsigned at = 0; at < length; at++)
                    value[at] = letters >> at & 1 ? 'b' : 'a';
                if (regex_match(regex, value, NULL) != regex_match(ended, value, NULL))
                    fail_msg("%s, %s", patterns[i], value);
            }
        }
        regex_destroy(ended);
        regex_destroy(regex);
    }
}

static void what_re2_has_not_is_refused(void **state)
{
    static const struct {
        const char *pattern, *error;
    } cases[] = {
        {"(a)\\1", "a back reference \\1"},
        {"(?P<n>a)\\k<n>", "\\k is not allowed"},
        {"(a)\\g1", "\\g is not allowed"},
        {"(?=a)a", "(?=a is not allowed"},
        {"(?!a)b", "(?!a is not allowed"},
        {"(?<=a)b", "(?<= is not allowed"},
        {"(?<!a)b", "(?<! is not allowed"},
        {"(?>a)", "(?>a is not allowed"},
        {"(?|a)", "(?|a is not allowed"},
        {"(a(?1)?)", "(?1) is not allowed"},
        {"(?R)", "(?R) is not allowed"},
        {"(?(1)a)", "(?(1 is not allowed"},
        {"(?C1)a", "(?C1 is not allowed"},
        {"(?#a)", "(?#a is not allowed"},
        {"(?x)a", "(?x) is not allowed"},
        {"(?P=n)", "(?P= is not allowed"},
        {"(?P>n)", "(?P> is not allowed"},
        {"(*UTF)a", "(* is not allowed"},
        {"(*ACCEPT)", "(* is not allowed"},
        {"a++", "a repeat of a repeat (+)"},
        {"a*+", "a repeat of a repeat (+)"},
        {"a{2}{3}", "a repeat of a repeat ({3})"},
        {"a??+", "a repeat of a repeat (+)"},
        {"\\Cx", "\\C is not allowed"},
        {"\\Ka", "\\K is not allowed"},
        {"\\Xa", "\\X is not allowed"},
        {"[\\b]", "\\b is not allowed"},
        {"[\\Q]", "\\Q is not allowed"},
        {"a{,3}", "a { that begins no"},
        {"a{ 1, 2 }", "a { that begins no"},
        {"a{1001}", "repeats more than 1000 times"},
        {"(a{100}){100}", "repeats more than 1000 times"},
        {"((a{1000}){1000}){1000}", "repeats more than 1000 times"},
        {"(?:[ab]{10}|c){101}", "repeats more than 1000 times"},
        {"a{99999999999999999999}", "repeats more than 1000 times"},
        {"(?i)[\x01-\xf4\x8f\xbf\xbf]", "ranges of more than 32768 characters"},
        {"(?i)[^]\\x{1}-\\x{10ffff}]", "ranges of more than 32768 characters"},
        {"a(?s-i:[]-\xef\xbf\xbd])", "ranges of more than 32768 characters"},
        {"(?i:[\\d\\x{100}-\\x{5000}][\xe5\x80\x80-\xe9\x80\x80])", "ranges of more than 32768"},
        {"*a", "at its byte "},
        {"a)", "at its byte "},
        {"[", "at its byte "},
        {"[b-a]", "at its byte "},
        {"\xff", "at its byte "},
        {"a\\", "at its byte "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex = NULL;
        char error[160] = "";

        if (regex_compile(&regex, cases[i].pattern, error, sizeof(error)) != -EINVAL)
            fail_msg("%s is accepted", cases[i].pattern);
        if (!strstr(error, cases[i].error))
            fail_msg("%s: %s", cases[i].pattern, error);
        assert_null(regex);
    }
}

static void a_compiled_expression_has_a_bound(void **state)
{
    static const char *const patterns[] = {
        "(?:[ab][cd][ef][gh][ij][kl][mn][op][qr][st][uv]){1000}",
        "(?:(?:[ab]?[cd]?){30}){33}",
        "(((a?){10}){10}){10}",
        "(?:\\pL\\pM\\pN\\pP|x){1000}",
    };
    char error[160] = "", nested[512] = "";

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct regex *regex = NULL;

        if (regex_compile(&regex, patterns[i], error, sizeof(error)) != -EINVAL)
            fail_msg("%s is accepted", patterns[i]);
        assert_non_null(strstr(error, "more than 8192 bytes"));
    }
    for (int i = 0; i < 100; i++)
        strcat(nested, "(");
    assert_int_equal(regex_compile(&(struct regex *){NULL}, nested, error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "nested more than 32"));
}

/* Each took seconds, gigabytes or for ever elsewhere. Here each gets its right answer. */
static void matching_does_not_explode(void **state)
{
    static const struct {
        const char *pattern;
        size_t times;
        const char *end;
        enum regex_answer answer;
    } cases[] = {
        {"(a*)*b", 4000, "c", REGEX_NO},
        {"(a*)*b", 4000, "b", REGEX_YES},
        {"(?:a|a)*b", 4000, "c", REGEX_NO},
        {"(?:a+)+b", 4000, "c", REGEX_NO},
        {"(.*)*x", 4000, "y", REGEX_NO},
        {".*.*.*.*.*.*.*.*.*.*.*.*.*.*x", 4000, "y", REGEX_NO},
        {"(?:(?:.*a)*b|.*)*x", 4000, "y", REGEX_NO},
        {"(?:a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*q*r*s*t*u*v*w*x*y*z*)*1", 4000, "1", REGEX_YES},
        {"((((((((((((a*)*)*)*)*)*)*)*)*)*)*)*)*1", 4000, "2", REGEX_NO},
        {"(?:a?){30}a{30}", 30, "", REGEX_YES},
        {"[a-z]{1000}[a-z]{1000}", 2000, "", REGEX_YES},
        {".*a{90}b", 4000, "b", REGEX_YES},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex = compiled(cases[i].pattern);
        char *value = repeated('a', cases[i].times, cases[i].end);
        size_t bytes = regex_bytes(regex);

        if (regex_match(regex, value, NULL) != cases[i].answer)
            fail_msg("%s", cases[i].pattern);
        assert_int_equal(regex_bytes(regex), bytes); /* matching takes no memory */
        free(value);
        regex_destroy(regex);
    }
}

static void what_takes_too_much_is_undecided_and_counted(void **state)
{
    struct regex *many = compiled("(?:a?){200}a{200}"), *any = compiled(".*");
    char *value = repeated('a', 300, ""), *longest = repeated('a', 4096, ""),
         *longer = repeated('a', 4097, ""), *bad = repeated('\xff', 4096, "");
    uint64_t before = regex_undecided_total(), left_ns = 0;

    assert_int_equal(regex_match(many, value, NULL), REGEX_UNDECIDED);
    assert_int_equal(regex_match(any, longest, NULL), REGEX_YES);
    assert_int_equal(regex_match(any, longer, NULL), REGEX_UNDECIDED);
    assert_int_equal(regex_match(any, bad, NULL), REGEX_UNDECIDED);
    assert_int_equal(regex_match(any, "a", &left_ns), REGEX_UNDECIDED);
    assert_int_equal(regex_undecided_total() - before, 4);
    left_ns = 3600 * NS_PER_SECOND;
    assert_int_equal(regex_match(any, "a", &left_ns), REGEX_YES);
    assert_in_range(left_ns, 1, 3600 * NS_PER_SECOND - 1);
    left_ns = 1;
    assert_int_equal(regex_match(any, "a", &left_ns), REGEX_YES);
    assert_int_equal(left_ns, 0);
    free(value);
    free(longest);
    free(longer);
    free(bad);
    regex_destroy(many);
    regex_destroy(any);
}

/* What hides an alert takes it for no match, what tells one for a match, with !~ as well. */
static void an_undecided_matcher_hides_nothing(void **state)
{
    static const char *const texts[] = {"a=~\"(?:a?){200}a{200}\"", "a!~\"(?:a?){200}a{200}\""};
    char *value = repeated('a', 300, "");
    const struct label pair = {"a", value};
    struct labels *labels;
    uint64_t left_ns = 0;

    assert_int_equal(labels_create(&labels, &pair, 1), 0);
    for (size_t i = 0; i < 2; i++) {
        struct matchers *matchers;
        char error[MATCHER_ERROR_BYTES];

        assert_int_equal(matchers_parse(&matchers, texts[i], error), 0);
        assert_false(matchers_match(matchers, labels, NULL));
        assert_false(matchers_match_within(matchers, labels, NULL, &left_ns));
        assert_true(matchers_may_match(matchers, labels, NULL));
        assert_true(matchers_may_match_pairs(matchers, &pair, 1));
        matchers_destroy(matchers);
    }
    labels_unref(labels);
    free(value);
}

static void a_list_has_a_bound_too(void **state)
{
    struct matchers *matchers = NULL;
    char error[MATCHER_ERROR_BYTES] = "", text[4096] = "";

    for (int i = 0; i < 20; i++)
        strcat(text, i ? ",a=~\"([ab]?){150}\"" : "a=~\"([ab]?){150}\"");
    assert_int_equal(matchers_parse(&matchers, text, error), -EINVAL);
    assert_non_null(strstr(error, "more than 65536 bytes"));
    assert_null(matchers);
}

static void what_a_match_may_begin_with(void **state)
{
    static const struct {
        const char *pattern;
        bool may;
    } cases[] = {
        {"/app.*", true},    {".*/app", true}, {"a|/x", true},        {"[^a]+", true},
        {"a*/x", true},      {"/", true},      {"app.*", false},      {"a|b", false},
        {"[a-z]+/x", false}, {"a+/x", false},  {"(app|x)/.*", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *regex;
        char error[128];

        assert_int_equal(regex_compile(&regex, cases[i].pattern, error, sizeof(error)), 0);
        if (regex_may_begin(regex, "/") != cases[i].may)
            fail_msg("%s", cases[i].pattern);
        regex_destroy(regex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_mean_what_they_do_in_re2),
        cmocka_unit_test(the_whole_value_matches_or_nothing_does),
        cmocka_unit_test(what_re2_has_not_is_refused),
        cmocka_unit_test(a_compiled_expression_has_a_bound),
        cmocka_unit_test(matching_does_not_explode),
        cmocka_unit_test(what_takes_too_much_is_undecided_and_counted),
        cmocka_unit_test(an_undecided_matcher_hides_nothing),
        cmocka_unit_test(a_list_has_a_bound_too),
        cmocka_unit_test(what_a_match_may_begin_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
