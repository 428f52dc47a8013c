/* The Accept header: qualities, specificity, refusals, what clients send. */
#include "facts/metrics.h"
#include "http/accept.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT, OPENMETRICS, NEITHER = -1 };

#define OPEN "application/openmetrics-text"

static const struct {
    const char *header;
    int wanted;
} cases[] = {
    {"", TEXT},
    {"*/*", TEXT},
    {"text/plain", TEXT},
    {OPEN, OPENMETRICS},
    {"APPLICATION/OpenMetrics-Text", OPENMETRICS},
    {OPEN ";version=1.0.0,*/*;q=0.1", OPENMETRICS},
    {OPEN "; version=1.0.0; charset=utf-8", OPENMETRICS},
    {OPEN "; version=\"1.0.0\"", OPENMETRICS},
    {OPEN ";version=0.0.1, */*;q=0.1", TEXT},
    {OPEN ";version=2.0.0", TEXT},
    {OPEN ";q=0", TEXT},
    {OPEN ";q=0.0, */*", TEXT},
    {OPEN ";q=0.000,text/plain;q=0", NEITHER},
    {"*/*;q=0", NEITHER},
    {"text/plain;q=0", NEITHER},
    {"text/plain;q=0, */*;q=0.1", OPENMETRICS},
    {"text/*;q=0, " OPEN ";q=0.1", OPENMETRICS},
    {OPEN ";q=0.5, text/plain;q=0.6", TEXT},
    {OPEN ";q=0.6, text/plain;q=0.5", OPENMETRICS},
    {OPEN ";q=0.5, text/plain;q=0.5", TEXT},
    {"application/*, text/plain;q=0.9", OPENMETRICS},
    {"*/*, " OPEN, OPENMETRICS},
    {OPEN ", */*", OPENMETRICS},
    {"*/*;q=0.9, " OPEN ";q=0.3", TEXT},
    {"text/*;q=0.3, text/plain;q=0.7, " OPEN ";q=0.5", TEXT},
    {"text/plain;version=0.0.4;q=0.2, text/plain;q=0.9, " OPEN ";q=0.5", OPENMETRICS},
    {"application/json", TEXT},
    {"application/x-" OPEN, TEXT},
    {"application/openmetrics-texts", TEXT},
    {"text/html;x=\"" OPEN "\"", TEXT},
    {"text/html;x=\"," OPEN ",\", text/plain", TEXT},
    {OPEN ";q=nonsense", TEXT},
    {OPEN ";q=2, text/plain;q=0.1", TEXT},
    {OPEN ";Q=0.1, text/plain ; q = 0.05", OPENMETRICS},
    {",,;,/,;q=1,*", TEXT},
    /* Prometheus 2.43, 2.53, 3.5; Grafana Alloy; VictoriaMetrics; browsers; curl. */
    {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     OPENMETRICS},
    {"application/openmetrics-text;version=1.0.0;q=0.5,application/"
     "openmetrics-text;version=0.0.1;q="
     "0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
     OPENMETRICS},
    {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/"
     "openmetrics-text;version=0.0.1;q=0.4,text/"
     "plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/"
     "plain;version=0.0.4;q=0.2,*/*;q=0.1",
     OPENMETRICS},
    {"application/"
     "vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0."
     "6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/"
     "plain;version=0.0."
     "4;q=0.2,*/*;q=0.1",
     OPENMETRICS},
    {"text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", TEXT},
};

static void test_choice(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct accept_choice text = {0}, openmetrics = {0};
        int chosen;

        accept_consider(cases[i].header, METRICS_TEXT_TYPE, &text);
        accept_consider(cases[i].header, METRICS_OPENMETRICS_TYPE, &openmetrics);
        chosen = accept_choose(&text, &openmetrics);
        if (chosen != cases[i].wanted)
            fail_msg("%s: %d, not %d", cases[i].header, chosen, cases[i].wanted);
    }
}

/* Several headers are as one with commas. */
static void test_several_headers(void **state)
{
    struct accept_choice text = {0}, openmetrics = {0};

    accept_consider("text/plain;q=0.4", METRICS_TEXT_TYPE, &text);
    accept_consider("text/plain;q=0.4", METRICS_OPENMETRICS_TYPE, &openmetrics);
    accept_consider(OPEN ";q=0.5", METRICS_TEXT_TYPE, &text);
    accept_consider(OPEN ";q=0.5", METRICS_OPENMETRICS_TYPE, &openmetrics);
    assert_int_equal(accept_choose(&text, &openmetrics), OPENMETRICS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_several_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
