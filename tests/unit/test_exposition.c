/* The two text formats: headers, escaping, histograms. */
#include "facts/exposition.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct metric_family requests = {"moonwatch_requests", METRIC_COUNTER, "Requests."};
static const struct metric_family size = {"moonwatch_size_bytes", METRIC_GAUGE, "Size."};
static const struct metric_family build = {"moonwatch_build", METRIC_INFO, "Build."};
static const struct metric_family delay = {"moonwatch_delay_seconds", METRIC_HISTOGRAM, "Delay."};

struct page {
    struct text text;
    struct exposition e;
};

static void begin(struct page *page, bool openmetrics)
{
    text_init(&page->text, 1 << 20);
    exposition_init(&page->e, &page->text, openmetrics);
}

static void expect(struct page *page, const char *want)
{
    assert_false(page->text.failed);
    assert_string_equal(page->text.data ? page->text.data : "", want);
    text_free(&page->text);
}

static void write_one_of_each(struct page *page)
{
    exposition_family(&page->e, &requests);
    exposition_count(&page->e, LABELS({"code", "200"}, {"route", "/"}), 7);
    exposition_count(&page->e, LABELS({"code", "404"}, {"route", "/"}), 18446744073709551615u);
    exposition_family(&page->e, &size);
    exposition_sample(&page->e, NULL, 0, 1.5);
    exposition_family(&page->e, &build);
    exposition_count(&page->e, LABELS({"version", "1"}), 1);
    exposition_end(&page->e);
}

static void writes_prometheus_text(void **state)
{
    struct page page;

    begin(&page, false);
    write_one_of_each(&page);
    expect(&page, "# HELP moonwatch_requests_total Requests.\n"
                  "# TYPE moonwatch_requests_total counter\n"
                  "moonwatch_requests_total{code=\"200\",route=\"/\"} 7\n"
                  "moonwatch_requests_total{code=\"404\",route=\"/\"} 18446744073709551615\n"
                  "# HELP moonwatch_size_bytes Size.\n"
                  "# TYPE moonwatch_size_bytes gauge\n"
                  "moonwatch_size_bytes 1.5\n"
                  "# HELP moonwatch_build_info Build.\n"
                  "# TYPE moonwatch_build_info gauge\n"
                  "moonwatch_build_info{version=\"1\"} 1\n");
}

static void writes_openmetrics(void **state)
{
    struct page page;

    begin(&page, true);
    write_one_of_each(&page);
    expect(&page, "# HELP moonwatch_requests Requests.\n"
                  "# TYPE moonwatch_requests counter\n"
                  "moonwatch_requests_total{code=\"200\",route=\"/\"} 7\n"
                  "moonwatch_requests_total{code=\"404\",route=\"/\"} 18446744073709551615\n"
                  "# HELP moonwatch_size_bytes Size.\n"
                  "# TYPE moonwatch_size_bytes gauge\n"
                  "# UNIT moonwatch_size_bytes bytes\n"
                  "moonwatch_size_bytes 1.5\n"
                  "# HELP moonwatch_build Build.\n"
                  "# TYPE moonwatch_build info\n"
                  "moonwatch_build_info{version=\"1\"} 1\n"
                  "# EOF\n");
}

static void an_unknown_reading_leaves_nothing_behind(void **state)
{
    struct page page;

    begin(&page, false);
    exposition_single(&page.e, &size, reading_missing("no"), 1);
    expect(&page, "");
    begin(&page, false);
    exposition_single(&page.e, &size, reading_of(50), 100);
    expect(&page, "# HELP moonwatch_size_bytes Size.\n# TYPE moonwatch_size_bytes gauge\n"
                  "moonwatch_size_bytes 0.5\n");
}

static void escapes_label_values(void **state)
{
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"", ""},
        {NULL, ""},
        {"a\"b", "a\\\"b"},
        {"a\\b", "a\\\\b"},
        {"a\nb", "a\\nb"},
        {"\"\\\n", "\\\"\\\\\\n"},
        {"/mnt/\xc3\xa9t\xc3\xa9", "/mnt/\xc3\xa9t\xc3\xa9"},
        {"\xff", "\xef\xbf\xbd"
                 "ff"},
        {"\xef\xbf\xbd"
         "ff",
         "\xef\xbf\xbd\xef\xbf\xbd"
         "ff"},
        {"a\xc3", "a\xef\xbf\xbd"
                  "c3"},
        {"\xc3\"x", "\xef\xbf\xbd"
                    "c3\\\"x"},
        {"tab\tand\rreturn", "tab\tand\rreturn"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char want[256];
        struct page page;

        begin(&page, true);
        exposition_family(&page.e, &size);
        exposition_count(&page.e, LABELS({"mount", cases[i].value}), 1);
        snprintf(want, sizeof(want),
                 "# HELP moonwatch_size_bytes Size.\n# TYPE moonwatch_size_bytes gauge\n"
                 "# UNIT moonwatch_size_bytes bytes\nmoonwatch_size_bytes{mount=\"%s\"} 1\n",
                 cases[i].want);
        expect(&page, want);
    }
}

static void a_label_of_any_length_stays_one_line(void **state)
{
    size_t lengths[] = {300, 4096, 5000, 100000};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char *value = malloc(lengths[i] + 1);
        struct latency latency = {0};
        struct page page;

        memset(value, '\xff', lengths[i]);
        value[lengths[i]] = '\0';
        begin(&page, false);
        exposition_family(&page.e, &delay);
        exposition_histogram(&page.e, LABELS({"path", value}), &latency, 13);
        assert_non_null(strstr(page.text.data, "\",le=\"1.024e-06\"} 0\n"));
        assert_non_null(strstr(page.text.data, "\",le=\"+Inf\"} 0\n"));
        assert_non_null(strstr(page.text.data, "\"} 0\n"));
        text_free(&page.text);
        free(value);
    }
}

/* The value of the sample whose line begins so. */
static double sample_of(const char *page, const char *begins)
{
    char line[128];
    const char *at;

    snprintf(line, sizeof(line), "\n%s ", begins);
    at = strstr(page, line);
    if (!at)
        fail_msg("no sample %s", begins);
    return at ? strtod(at + strlen(line), NULL) : NAN;
}

static struct latency some_latency(void)
{
    struct latency latency = {.sum_ns = 1234567890};

    for (unsigned i = 0; i < SLOT_COUNT; i++)
        latency.slots[i] = i * i + 1;
    latency.count = 1; /* an event came between the reads of the two: the slots count */
    return latency;
}

static void histograms_are_cumulative_at_the_slots_bounds(void **state)
{
    struct latency latency = some_latency();
    struct page page;
    uint64_t total = 0;

    begin(&page, false);
    exposition_family(&page.e, &delay);
    exposition_histogram(&page.e, NULL, 0, &latency, 1);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        char begins[128];

        total += latency.slots[i];
        if (i + 1 == SLOT_COUNT)
            break;
        /* 2^35 has eleven digits, so this is exact and as short as can be. */
        snprintf(begins, sizeof(begins), "moonwatch_delay_seconds_bucket{le=\"%.11g\"}",
                 (double)slot_upper_ns(i) / 1e9);
        assert_float_equal(sample_of(page.text.data, begins), (double)total, 0);
    }
    assert_float_equal(sample_of(page.text.data, "moonwatch_delay_seconds_bucket{le=\"+Inf\"}"),
                       (double)total, 0);
    assert_float_equal(sample_of(page.text.data, "moonwatch_delay_seconds_count"), (double)total,
                       0);
    assert_float_equal(sample_of(page.text.data, "moonwatch_delay_seconds_sum"), 1.23456789, 0);
    text_free(&page.text);
}

static void coarse_histograms_count_the_same(void **state)
{
    struct latency latency = some_latency();
    struct page fine, coarse;
    const char *line;

    begin(&fine, false);
    begin(&coarse, false);
    exposition_family(&fine.e, &delay);
    exposition_histogram(&fine.e, LABELS({"class", "low"}), &latency, 1);
    exposition_family(&coarse.e, &delay);
    exposition_histogram(&coarse.e, LABELS({"class", "low"}), &latency, 3);
    for (line = coarse.text.data; line; line = strchr(line, '\n')) {
        size_t length = strcspn(++line, "\n") + 1;
        char copy[256];

        if (!*line)
            break;
        snprintf(copy, sizeof(copy), "%.*s", (int)length, line);
        assert_non_null(strstr(fine.text.data, copy));
    }
    assert_null(strstr(coarse.text.data, "2.048e-06"));
    assert_non_null(strstr(coarse.text.data, "le=\"8.192e-06\"} 18\n"));
    text_free(&fine.text);
    text_free(&coarse.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_prometheus_text),
        cmocka_unit_test(writes_openmetrics),
        cmocka_unit_test(an_unknown_reading_leaves_nothing_behind),
        cmocka_unit_test(escapes_label_values),
        cmocka_unit_test(a_label_of_any_length_stays_one_line),
        cmocka_unit_test(histograms_are_cumulative_at_the_slots_bounds),
        cmocka_unit_test(coarse_histograms_count_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
