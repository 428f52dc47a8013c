/* Matchers for a value that their label never has, and the like that are meant. */
#include "doubt_scene.h"
#include "facts/metrics.h"

#define TWO_CHANNELS                                                                               \
    "\"channels\":[{\"name\":\"a\",\"type\":\"log\"},{\"name\":\"b\",\"type\":\"log\"}]"
#define ALERTS(inside) "{\"alert_manager\":{" inside "}}"
#define ROUTE(inside)                                                                              \
    TWO_CHANNELS ",\"routes\":[{\"channels\":[\"a\"]," inside "},{\"channels\":[\"a\",\"b\"]}]"
#define RULE(inside) ALERTS("\"rules\":[{\"name\":\"X\"," inside "}]")
#define CRASH(match) RULE("\"kind\":\"event\",\"event\":\"crash\",\"match\":{" match "}")
#define ABOVE(metric) "\"metric\":\"moonwatch_" metric "\",\"above\":0.5"
#define BREAKER(match)                                                                             \
    "{\"upstreams\":[{\"name\":\"u\",\"address\":\"192.0.2.1:443\"}],\"alert_manager\":{\"rules\"" \
    ":[{\"name\":\"X\",\"kind\":\"event\",\"event\":\"breaker\",\"match\":{" match "}}]}}"
#define TEAM(more)                                                                                 \
    "\"rules\":[{\"name\":\"X\"," ABOVE("load1") ",\"labels\":{\"team\":\"sre\"" more "}}],"

static void what_never_is_is_doubted(void **state)
{
    static const struct {
        const char *text, *pointer, *message;
    } cases[] = {
        {CRASH("\"signal\":\"11\""), "/alert_manager/rules/0",
         "\"signal\" never is \"11\" (allowed: SIGQUIT, "},
        {CRASH("\"event\":\"Crash\""), "/alert_manager/rules/0", "\"event\" never is \"Crash\""},
        {CRASH("\"comm\":\"systemd-resolved\""), "/alert_manager/rules/0", "at most 15 bytes"},
        {CRASH("\"comm\":\"/usr/bin/shop\""), "/alert_manager/rules/0", "named without its path"},
        {RULE("\"kind\":\"status\",\"match\":{\"component\":\"cpu\"}"), "/alert_manager/rules/0",
         "\"component\" never is \"cpu\" (allowed: scheduler, "},
        {RULE(ABOVE("pressure_ratio") ",\"match\":{\"resource\":\"mem\"}"),
         "/alert_manager/rules/0", "\"resource\" never is \"mem\" (allowed: cpu, io, memory)"},
        {RULE(ABOVE("run_queue_delay_seconds_count") ",\"matchers\":[\"class=~\\\"nomral|hgih\\\""
                                                     "\"]"),
         "/alert_manager/rules/0", "\"class\" never is \"nomral|hgih\""},
        {BREAKER("\"upstream\":\"v\""), "/alert_manager/rules/0",
         "\"upstream\" never is \"v\" (allowed: u)"},
        {BREAKER("\"state\":\"OPEN\""), "/alert_manager/rules/0", "\"state\" never is \"OPEN\""},
        {ALERTS(ROUTE("\"match\":{\"component\":\"cpu\"}")), "/alert_manager/routes/0",
         "\"component\" never is \"cpu\""},
        {ALERTS(TEAM("") ROUTE("\"match\":{\"team\":\"sr\"}")), "/alert_manager/routes/0",
         "\"team\" never is \"sr\" (allowed: sre)"},
        {"{\"server\":{\"log_level\":\"error\"}}", "/server/log_level", "hides alerts"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_doubt(cases[i].text, cases[i].pointer, cases[i].message);
}

static void what_may_be_is_not_doubted(void **state)
{
    static const char *const cases[] = {
        CRASH("\"signal\":\"SIGSEGV\",\"comm\":\"systemd-resolve\""),
        /* A byte that is no character is shown as more than one. */
        CRASH("\"comm\":\"abcdefghijklmn\xef\xbf\xbd\""),
        RULE("\"kind\":\"event\",\"event\":\"crash\",\"matchers\":[\"signal!=11\",\"signal!~"
             "\\\"SIGABRT|SIGTRAP\\\"\"]"),
        RULE(ABOVE("pressure_ratio") ",\"match\":{\"resource\":\"memory\",\"share\":\"full\","
                                     "\"window\":\"60s\"}"),
        "{\"server\":{\"log_level\":\"warning\"}}",
        "{\"server\":{\"log_level\":\"error\"},\"alert_manager\":{\"channels\":[{\"name\":\"a\","
        "\"type\":\"webhook\",\"url\":\"http://192.0.2.1/\"}]}}",
        BREAKER("\"upstream\":\"u\",\"state\":\"half_open\""),
        /* Alerts of other rules have other states and components. */
        ALERTS("\"rules\":[{\"name\":\"X\"," ABOVE("alerts") "}]," ROUTE(
            "\"match\":{\"state\":\"firing\"}")),
        ALERTS(TEAM(",\"component\":\"shop\"")
                   ROUTE("\"matchers\":[\"team=~\\\"s.*\\\"\",\"component=shop\"]")),
    };

    expect_no_doubts(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_never_is_is_doubted),
        cmocka_unit_test(what_may_be_is_not_doubted),
    };

    metrics_destroy(NULL); /* links what declares the metrics, as in the agent */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
