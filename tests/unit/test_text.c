/* The text buffer, numbers as text and JSON strings. */
#include "base/text.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM_VALUES 300000

static const char *double_text(struct text *t, double v)
{
    text_reset(t);
    text_add_double(t, v);
    return t->data;
}

static void the_cap_cuts_and_is_remembered(void **state)
{
    struct text t;

    text_init(&t, 10);
    assert_null(t.data);
    text_add(&t, "12345");
    text_add(&t, "67890");
    assert_false(t.failed);
    text_add(&t, "");
    assert_false(t.failed);
    text_add(&t, "x");
    assert_true(t.failed);
    assert_string_equal(t.data, "1234567890");
    assert_null(text_steal(&t));
    text_reset(&t);
    assert_false(t.failed);
    assert_string_equal(t.data, "");
    text_printf(&t, "%s-%d", "abcdef", 123456);
    assert_true(t.failed);
    assert_string_equal(t.data, "abcdef-123");
    text_free(&t);
    assert_null(t.data);
}

static void it_grows_and_is_handed_over(void **state)
{
    struct text t;
    char *stolen;
    size_t i;

    text_init(&t, 1 << 20);
    for (i = 0; i < 10000; i++)
        text_printf(&t, "%04zu,", i);
    assert_false(t.failed);
    assert_int_equal(t.len, 50000);
    stolen = text_steal(&t);
    assert_memory_equal(stolen, "0000,0001,", 10);
    assert_string_equal(stolen + 49995, "9999,");
    assert_int_equal(t.len, 0);
    free(stolen);
    stolen = text_steal(&t);
    assert_string_equal(stolen, "");
    free(stolen);
}

static void whole_numbers(void **state)
{
    static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 4294967296, UINT64_MAX};
    char expected[32];
    struct text t;
    size_t i;

    text_init(&t, 100);
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        text_reset(&t);
        text_add_u64(&t, values[i]);
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
        assert_string_equal(t.data, expected);
    }
    text_free(&t);
}

static void known_doubles(void **state)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-17, "-17"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {45.2, "45.2"},
        {-1.25, "-1.25"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {1e-9, "0.000000001"},
        {123456789.123456789, "123456789.12345679"},
        {4503599627370495.5, "4503599627370495.5"},
        {9007199254740991.0, "9007199254740991"},
        {1e15, "1000000000000000"},
        {1e22, "1e+22"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
    };
    struct text t;
    size_t i;

    text_init(&t, 100);
    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)

        assert_string_equal(double_text(&t, known[i].value), known[i].text);
    assert_string_equal(double_text(&t, NAN), "NaN");
    assert_string_equal(double_text(&t, -NAN), "NaN");
    assert_string_equal(double_text(&t, INFINITY), "+Inf");
    assert_string_equal(double_text(&t, -INFINITY), "-Inf");
    text_free(&t);
}

/* How many significant digits a decimal has. */
static size_t significant(const char *s)
{
    size_t digits = 0, zeros = 0;

    for (s += strspn(s, "-0."); *s && *s != 'e'; s++) {
        if (*s == '.')
            continue;
        if (*s == '0') {
            zeros++;
        } else {
            digits += zeros + 1;
            zeros = 0;
        }
    }
    return digits;
}

static double random_double(size_t i)
{
    uint64_t bits;
    double v;

    switch (i % 6) {
    case 0:
        return drand48() * pow(10, (int)(drand48() * 24) - 9);
    case 1:
        return ((double)lrand48() * 1000 + (double)lrand48()) / 1e9;
    case 2:
        return 100.0 * (double)lrand48() / (1 + (double)lrand48());
    case 3:
        bits = (uint64_t)lrand48() << 33 ^ (uint64_t)lrand48() << 11 ^ (uint64_t)lrand48();
        memcpy(&v, &bits, sizeof(v));
        return isfinite(v) ? v : 1.5;
    case 4: /* where the gap below is half the gap above */
        v = ldexp(1, (int)(lrand48() % 140) - 80);
        return lrand48() % 2 ? v : nextafter(v, 0);
    default:
        return -round(drand48() * 1e6) / pow(10, (double)(lrand48() % 8));
    }
}

/* The oracle is the C library: the fewest digits of %g that read back. */
static void random_doubles_read_back_and_are_short(void **state)
{
    char shortest[40];
    struct text t;
    size_t i;
    int precision;

    text_init(&t, 100);
    srand48(1);
    for (i = 0; i < RANDOM_VALUES; i++) {
        double v = random_double(i);
        const char *text = double_text(&t, v);

        if (strtod(text, NULL) != v)
            fail_msg("%s is not %.17g", text, v);
        for (precision = 1; precision < 17; precision++) {
            snprintf(shortest, sizeof(shortest), "%.*g", precision, v);
            if (strtod(shortest, NULL) == v)
                break;
        }
        if (precision < 17 && significant(text) > significant(shortest))
            fail_msg("%s is longer than %s", text, shortest);
    }
    text_free(&t);
}

static void json_strings(void **state)
{
    static const struct {
        const char *bytes, *json;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x99", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x99\""},
        {"\xff", "\"\xef\xbf\xbd"
                 "ff\""},
        {"a\xc3", "\"a\xef\xbf\xbd"
                  "c3\""}, /* cut off */
        {"\xc0\xaf", "\"\xef\xbf\xbd"
                     "c0\xef\xbf\xbd"
                     "af\""}, /* overlong */
        {"\xe0\x80\xaf", "\"\xef\xbf\xbd"
                         "e0\xef\xbf\xbd"
                         "80\xef\xbf\xbd"
                         "af\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd"
                         "ed\xef\xbf\xbd"
                         "a0\xef\xbf\xbd"
                         "80\""}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd"
                             "f4\xef\xbf\xbd"
                             "90\xef\xbf\xbd"
                             "80\xef\xbf\xbd"
                             "80\""},
        {"\x80z", "\"\xef\xbf\xbd"
                  "80z\""},
        {"\xc2\x9b 2J\xe2\x80\xae", "\"\\u009b 2J\\u202e\""},
        {NULL, "null"},
    };
    struct text t;
    size_t i;

    text_init(&t, 1000);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text_reset(&t);
        text_add_json_string(&t, cases[i].bytes, 100);
        assert_string_equal(t.data, cases[i].json);
    }
    text_free(&t);
}

static void json_strings_are_cut_between_characters(void **state)
{
    /* Not terminated, as a comm of 16 bytes may be. */
    static const char moon[4] = {'\xf0', '\x9f', '\x8c', '\x99'};
    char bytes[7];
    struct text t;
    size_t n;

    text_init(&t, 100);
    memcpy(bytes, "abc", 3);
    memcpy(bytes + 3, moon, 4);
    for (n = 3; n < 7; n++) {
        text_reset(&t);
        text_add_json_string(&t, bytes, n);
        assert_string_equal(t.data, "\"abc\"");
    }
    text_reset(&t);
    text_add_json_string(&t, bytes, 7);
    assert_string_equal(t.data, "\"abc\xf0\x9f\x8c\x99\"");
    text_free(&t);
}

static void utf8_prefixes(void **state)
{
    assert_int_equal(utf8_valid_prefix("", 0), 0);
    assert_int_equal(utf8_valid_prefix("ab\xff", 3), 2);
    assert_int_equal(utf8_valid_prefix("\xe2\x82\xac", 3), 3);
    assert_int_equal(utf8_valid_prefix("\xe2\x82\xac", 2), 0);
    assert_int_equal(utf8_valid_prefix("a\0b", 3), 3);
}

#define FFFD "\xef\xbf\xbd"

static void what_people_read_is_clean(void **state)
{
    static const struct {
        const char *bytes, *clean, *lines;
    } cases[] = {
        {"", "", ""},
        {"plain \xc3\xa9 \xf0\x9f\x8c\x99", "plain \xc3\xa9 \xf0\x9f\x8c\x99",
         "plain \xc3\xa9 \xf0\x9f\x8c\x99"},
        {"a\nb\tc\r", "a b c" FFFD, "a\nb\tc" FFFD},
        {"\x1b[2J\x7f", FFFD "[2J" FFFD, FFFD "[2J" FFFD},
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", FFFD FFFD FFFD "\xc2\xa0", FFFD FFFD FFFD "\xc2\xa0"},
        /* U+061C, U+200E, U+200F; U+200D joins emoji */
        {"\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x8d", FFFD FFFD FFFD "\xe2\x80\x8d",
         FFFD FFFD FFFD "\xe2\x80\x8d"},
        /* U+2027, U+2028, U+202E, U+202F, U+2065, U+2066, U+2069, U+206A */
        {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf",
         "\xe2\x80\xa7" FFFD FFFD "\xe2\x80\xaf", "\xe2\x80\xa7" FFFD FFFD "\xe2\x80\xaf"},
        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
         "\xe2\x81\xa5" FFFD FFFD "\xe2\x81\xaa", "\xe2\x81\xa5" FFFD FFFD "\xe2\x81\xaa"},
        /* A name cut inside a character. */
        {"bug\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd", "bug\xe4\xbd\xa0\xe5\xa5\xbd" FFFD FFFD,
         "bug\xe4\xbd\xa0\xe5\xa5\xbd" FFFD FFFD},
    };
    char *cleaned;
    struct text t;

    text_init(&t, 1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text_reset(&t);
        text_add_clean(&t, cases[i].bytes);
        assert_string_equal(t.data ? t.data : "", cases[i].clean);
        assert_int_equal(text_clean_prefix(t.data ? t.data : "", t.len), t.len);
        cleaned = text_cleaned(cases[i].bytes);
        assert_string_equal(cleaned, cases[i].clean);
        assert_int_equal(text_is_clean(cases[i].bytes),
                         strcmp(cases[i].bytes, cases[i].clean) == 0);
        free(cleaned);
        text_reset(&t);
        text_add_clean_lines(&t, cases[i].bytes);
        assert_string_equal(t.data ? t.data : "", cases[i].lines);
    }
    text_free(&t);
}

/* In a label, in JSON: who may name cgroups and mounts does not make two of them one. */
static void names_stay_different(void **state)
{
    static const char *const names[] = {"x",
                                        "x\x9b",
                                        "x\x9c",
                                        "x\xc2\x9b",
                                        "x\xc2\x9c",
                                        "x\xe2\x80\xae",
                                        "x\xe2\x80\xad",
                                        "x y",
                                        "x\ty",
                                        "x\ny",
                                        "x\ry",
                                        "x" FFFD,
                                        "x" FFFD "9b",
                                        "x" FFFD FFFD "9b",
                                        "x" FFFD "\x9b",
                                        "x" FFFD "c2" FFFD "9b",
                                        "x" FFFD "u009b",
                                        "x\\u009b",
                                        "x" FFFD FFFD};
    struct text one[2], two[2];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int k = 0; k < 2; k++) {
            text_init(&one[k], 4096);
            text_init(&two[k], 4096);
        }
        text_add_name(&one[0], names[i]);
        assert_int_equal(text_clean_prefix(one[0].data, one[0].len), one[0].len);
        assert_int_equal(text_is_name(names[i]), strcmp(names[i], one[0].data) == 0);
        text_reset(&one[1]);
        text_add_json_name(&one[1], names[i], 256);
        for (size_t j = 0; j < i; j++) {
            text_reset(&two[0]);
            text_reset(&two[1]);
            text_add_name(&two[0], names[j]);
            text_add_json_name(&two[1], names[j], 256);
            assert_string_not_equal(one[0].data, two[0].data);
            assert_string_not_equal(one[1].data, two[1].data);
        }
        for (int k = 0; k < 2; k++) {
            text_free(&one[k]);
            text_free(&two[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cap_cuts_and_is_remembered),
        cmocka_unit_test(it_grows_and_is_handed_over),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(known_doubles),
        cmocka_unit_test(random_doubles_read_back_and_are_short),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(json_strings_are_cut_between_characters),
        cmocka_unit_test(utf8_prefixes),
        cmocka_unit_test(what_people_read_is_clean),
        cmocka_unit_test(names_stay_different),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
