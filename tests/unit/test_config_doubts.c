/* Configurations that are allowed and page nobody: each is a warning, and those that are meant are
 * none. */
#include "alert/alert.h"
#include "config_text.h"
#include <errno.h>

#define ALERTS(inside) "{\"alert_manager\":{" inside "}}"
#define CHANNELS                                                                                   \
    "\"channels\":[{\"name\":\"a\",\"type\":\"log\"},{\"name\":\"b\",\"type\":\"log\"}],"
#define ROUTES(inside)                                                                             \
    ALERTS(CHANNELS "\"routes\":[" inside "{\"channels\":[\"a\",\"b\"],\"group_by\":[]}]")
#define RULE(inside) ALERTS("\"rules\":[{\"name\":\"X\"," inside "}]")

static void load(const char *text, struct config_errors *errors)
{
    struct config *config = NULL;

    if (load_bytes(&config, text, strlen(text), NULL, errors) < 0)
        fail_msg("%s: %s: %s", text, errors->list[0].pointer, errors->list[0].message);
    if (alert_check(config, errors) < 0)
        fail_msg("%s: %s: %s", text, errors->list[0].pointer, errors->list[0].message);
    config_destroy(config);
}

static void what_pages_nobody_is_doubted(void **state)
{
    static const struct {
        const char *text, *pointer, *message;
    } cases[] = {
        {ALERTS(CHANNELS "\"routes\":[{\"channels\":[\"a\",\"b\"],\"match\":{\"severity\":"
                         "\"critical\"}}]"),
         "/alert_manager/routes", "is told to nobody"},
        {ALERTS(CHANNELS "\"routes\":[{\"channels\":[\"a\"]}]"), "/alert_manager/channels/1",
         "is told nothing: no route names \"b\""},
        {ROUTES("{\"channels\":[\"a\"]},"), "/alert_manager/routes/1",
         "takes no alert: route 0 before it takes all"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"crit\"}},"),
         "/alert_manager/routes/0", "no severity is so called"},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"severity=~\\\"page|urgent\\\"\"]},"),
         "/alert_manager/routes/0", "no severity is so called"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"alertname\":\"HostCPU\"}},"),
         "/alert_manager/routes/0", "no rule that is enabled has such a name"},
        {ALERTS("\"rules\":[{\"name\":\"HostCpu\",\"enabled\":false}],\"inhibit\":[{\"source\":{"
                "\"alertname\":\"HostCpu\"},\"target\":{\"alertname\":\"OomKill\"}}]"),
         "/alert_manager/inhibit/0", "no rule that is enabled has such a name"},
        {ALERTS("\"inhibit\":[{\"source\":{\"alertname\":\"HostCpu\"},\"target\":{\"host\":\"h\"}"
                "}]"),
         "/alert_manager/inhibit/0", "no alert has a label \"host\""},
        {ALERTS("\"mute_windows\":[{\"name\":\"n\",\"start\":\"01:00\",\"end\":\"02:00\","
                "\"utc\":true,\"matchers\":[\"team!=\\\"\\\"\"]}]"),
         "/alert_manager/mute_windows/0", "no alert has a label \"team\""},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"check\":\"dsik\"}},"),
         "/alert_manager/routes/0", "no health check has such a name"},
        {RULE("\"kind\":\"status\",\"match\":{\"check\":\"disk:/var\"}"), "/alert_manager/rules/0",
         "no health check has such a name"},
        {RULE("\"kind\":\"event\",\"event\":\"oom\",\"matchers\":[\"mount=~\\\"/.+\\\"\"]"),
         "/alert_manager/rules/0", "no alert of this kind has a label \"mount\""},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"cgroup=~\\\"app.slice/.*\\\"\"]},"),
         "/alert_manager/routes/0", "the path of a cgroup begins with \"/\""},
        {RULE("\"kind\":\"degradation\",\"match\":{\"service\":\"shop\"}"),
         "/alert_manager/rules/0", "no alert of this kind has a label \"service\""},
        {RULE("\"metric\":\"node_load1\",\"above\":1"), "/alert_manager/rules/0",
         "cannot fire: no metric \"node_load1\""},
        {RULE("\"enabled\":false"), "/alert_manager/rules/0",
         "switches nothing off: no rule that is built in is called \"X\""},
        {ALERTS("\"rules\":[{\"name\":\"HostCPU\",\"kind\":\"status\",\"enabled\":false}]"),
         "/alert_manager/rules/0", "switches nothing off"},
        {"{\"health_monitor\":{\"thresholds\":{\"disk_warning\":0.7}}}",
         "/health_monitor/thresholds/disk_warning", "is 70 meant?"},
        {"{\"health_monitor\":{\"cpu_threshold\":0.8}}", "/health_monitor/cpu_threshold",
         "is 80 meant?"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_errors errors = {0};

        load(cases[i].text, &errors);
        if (errors.warning_count != 1 ||
            strcmp(errors.warnings[0].pointer, cases[i].pointer) != 0 ||
            !strstr(errors.warnings[0].message, cases[i].message))
            fail_msg("%s: %zu, %s: %s", cases[i].text, errors.warning_count,
                     errors.warnings[0].pointer, errors.warnings[0].message);
    }
}

static void what_is_meant_is_not_doubted(void **state)
{
    static const char *const cases[] = {
        "{}",
        ALERTS(CHANNELS "\"escalation_limit\":3"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"severity=~\\\"error|critical\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"alertname!=Gone\",\"team!=db\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"role\":\"service\",\"name\":\"shop\"}},"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"cgroup=~\\\".*/shop.service\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"cgroup=~\\\"|app.slice/.*\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"cgroup\":\"app.slice/a\"}},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"check\":\"disk\",\"subject\":\"/var\"}},"),
        RULE("\"kind\":\"status\",\"match\":{\"check\":\"runq_delay\"}"),
        RULE("\"metric\":\"moonwatch_load1\",\"above\":9,\"labels\":{\"team\":\"db\"}"),
        RULE("\"metric\":\"moonwatch_load1\",\"above\":9,\"enabled\":false"),
        ALERTS("\"rules\":[{\"name\":\"HostCpu\",\"enabled\":false},{\"name\":\"HostDisk\","
               "\"kind\":\"status\",\"enabled\":false}]"),
        ALERTS("\"rules\":[{\"name\":\"X\",\"kind\":\"absent\",\"metric\":\"moonwatch_x\","
               "\"match\":{\"disk\":\"a\"}}],\"mute_windows\":[{\"name\":\"n\",\"start\":\"01:00\","
               "\"end\":\"02:00\",\"utc\":true,\"match\":{\"disk\":\"a\"}}]"),
        "{\"health_monitor\":{\"thresholds\":{\"disk_warning\":1.5}}}",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_errors errors = {0};

        load(cases[i], &errors);
        if (errors.warning_count != 0)
            fail_msg("%s: %s: %s", cases[i], errors.warnings[0].pointer,
                     errors.warnings[0].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_pages_nobody_is_doubted),
        cmocka_unit_test(what_is_meant_is_not_doubted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
