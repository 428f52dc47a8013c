/* Rules: what the built-in ones watch, how levels and matchers judge, and which mistakes are found
 * when the configuration is checked. */
#include "alert/rule.h"
#include "alert/template.h"
#include "config_text.h"
#include "facts/metrics.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PAIRS(...)                                                                                 \
    (const struct label[]){__VA_ARGS__},                                                           \
        sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)

static struct config *config;
static struct rule_set *rules;

static void load(const char *text)
{
    struct config_errors errors = {0};

    config = load_valid(text, NULL);
    if (rule_set_create(&rules, config, &errors) < 0)
        fail_msg("%s: %s", errors.list[0].pointer, errors.list[0].message);
}

static void unload(void)
{
    rule_set_destroy(rules);
    config_destroy(config);
}

static enum verdict judge(const char *rule, double value)
{
    const struct sample sample = {
        .metric = "m",
        .labels = (const struct label[]){{"mount", "/var"}},
        .label_count = 1,
        .value = value,
    };

    return rule_judge_sample(rule_set_find(rules, rule), &sample);
}

static void levels_judge_with_a_band_between(void **state)
{
    load("{\"alert_manager\":{\"rules\":["
         "{\"name\":\"high\",\"metric\":\"m\",\"above\":90,\"clear\":80},"
         "{\"name\":\"low\",\"metric\":\"m\",\"below\":10,\"clear\":20},"
         "{\"name\":\"plain\",\"metric\":\"m\",\"above\":5},"
         "{\"name\":\"other\",\"metric\":\"m\",\"above\":5,\"match\":{\"mount\":\"/\"}},"
         "{\"name\":\"regex\",\"metric\":\"m\",\"above\":5,\"matchers\":[\"mount=~\\\"/"
         "v.*\\\"\"]}]}}");
    assert_int_equal(judge("high", 90.1), VERDICT_ACTIVE);
    assert_int_equal(judge("high", 90), VERDICT_KEEP);
    assert_int_equal(judge("high", 80.1), VERDICT_KEEP);
    assert_int_equal(judge("high", 80), VERDICT_IDLE);
    assert_int_equal(judge("low", 9.9), VERDICT_ACTIVE);
    assert_int_equal(judge("low", 10), VERDICT_KEEP);
    assert_int_equal(judge("low", 20), VERDICT_IDLE);
    assert_int_equal(judge("plain", 5.1), VERDICT_ACTIVE);
    assert_int_equal(judge("plain", 5), VERDICT_IDLE);
    assert_int_equal(judge("plain", NAN), VERDICT_UNKNOWN);
    assert_int_equal(judge("other", 9), VERDICT_NO);
    assert_int_equal(judge("regex", 9), VERDICT_ACTIVE);
    unload();
}

static void rules_of_a_metric_are_found(void **state)
{
    size_t count;

    load("{\"alert_manager\":{\"rules\":["
         "{\"name\":\"a\",\"metric\":\"m\",\"above\":1},{\"name\":\"b\",\"metric\":\"l\",\"above\":"
         "1},"
         "{\"name\":\"c\",\"metric\":\"m\",\"kind\":\"absent\"},"
         "{\"name\":\"off\",\"metric\":\"m\",\"above\":1,\"enabled\":false}]}}");
    rule_set_of_metric(rules, "m", &count);
    assert_int_equal(count, 2);
    rule_set_of_metric(rules, "l", &count);
    assert_int_equal(count, 1);
    rule_set_of_metric(rules, "zz", &count);
    assert_int_equal(count, 0);
    rule_set_of_metric(rules, "", &count);
    assert_int_equal(count, 0);
    assert_null(rule_set_find(rules, "off"));
    unload();
}

static void an_empty_configuration_has_the_built_in_rules(void **state)
{
    static const char *const checks[] = {"cpu",        "memory",    "disk",      "inodes",
                                         "pids",       "files",     "conntrack", "pressure",
                                         "runq_delay", "filesystem"};
    size_t all;

    load("{}");
    all = rule_set_count(rules);
    assert_in_range(all, 20, 60);
    for (size_t c = 0; c < sizeof(checks) / sizeof(checks[0]); c++) {
        const struct label label = {"check", checks[c]};
        const struct alert_condition condition = {
            .kind = RULE_STATUS, .labels = &label, .label_count = 1, .status = STATUS_DEGRADED};
        size_t taken = 0;

        for (size_t i = 0; i < all; i++)
            taken += rule_judge_condition(rule_set_at(rules, i), &condition) == VERDICT_ACTIVE;
        if (taken != 1)
            fail_msg("%zu rules watch %s", taken, checks[c]);
    }
    assert_int_equal(rule_set_find(rules, "OomKill")->config->severity, SEVERITY_ERROR);
    assert_true(rule_set_find(rules, "OomKill")->built_in);
    unload();
}

static void a_rule_of_the_same_name_replaces_a_built_in_one(void **state)
{
    size_t all;

    load("{}");
    all = rule_set_count(rules);
    unload();
    load(
        "{\"alert_manager\":{\"rules\":["
        "{\"name\":\"ProcessCrash\",\"kind\":\"event\",\"event\":\"crash\",\"enabled\":false},"
        "{\"name\":\"OomKill\",\"kind\":\"event\",\"event\":\"oom\",\"severity\":\"critical\"}]}}");
    assert_int_equal(rule_set_count(rules), all - 1);
    assert_null(rule_set_find(rules, "ProcessCrash"));
    assert_int_equal(rule_set_find(rules, "OomKill")->config->severity, SEVERITY_CRITICAL);
    assert_false(rule_set_find(rules, "OomKill")->built_in);
    unload();
}

static void durations_have_the_defaults_of_the_kind(void **state)
{
    load("{\"alert_manager\":{\"rules\":["
         "{\"name\":\"t\",\"metric\":\"m\",\"above\":1},"
         "{\"name\":\"e\",\"kind\":\"event\",\"event\":\"oom\"},"
         "{\"name\":\"s\",\"kind\":\"status\",\"keep_firing_for\":7}]}}");
    assert_true(rule_set_find(rules, "t")->for_ns == 60000000000LL);
    assert_true(rule_set_find(rules, "t")->keep_ns == 0);
    assert_true(rule_set_find(rules, "e")->for_ns == 0);
    assert_true(rule_set_find(rules, "e")->keep_ns == 300000000000LL);
    assert_true(rule_set_find(rules, "s")->for_ns == 0);
    assert_true(rule_set_find(rules, "s")->keep_ns == 7000000000LL);
    unload();
}

static void an_unhealthy_status_is_critical(void **state)
{
    const struct alert_condition worst = {.kind = RULE_STATUS, .status = STATUS_UNHEALTHY};
    const struct alert_condition bad = {.kind = RULE_STATUS, .status = STATUS_DEGRADED};
    const struct alert_condition dark = {.kind = RULE_STATUS, .status = STATUS_UNKNOWN};
    const struct rule *any, *only;

    load("{\"alert_manager\":{\"rules\":[{\"name\":\"any\",\"kind\":\"status\"},"
         "{\"name\":\"only\",\"kind\":\"status\",\"only_unhealthy\":true}]}}");
    any = rule_set_find(rules, "any");
    only = rule_set_find(rules, "only");
    assert_int_equal(rule_judge_condition(any, &worst), VERDICT_ACTIVE);
    assert_int_equal(rule_judge_condition(any, &bad), VERDICT_ACTIVE);
    assert_int_equal(rule_judge_condition(only, &bad), VERDICT_IDLE);
    assert_int_equal(rule_judge_condition(only, &dark), VERDICT_UNKNOWN);
    assert_int_equal(rule_severity(any, STATUS_UNHEALTHY), SEVERITY_CRITICAL);
    assert_int_equal(rule_severity(any, STATUS_DEGRADED), SEVERITY_WARNING);
    unload();
}

static void mistakes_in_rules_are_found_at_the_check(void **state)
{
    static const struct {
        const char *rule, *pointer, *message;
    } cases[] = {
        {"\"metric\":\"m\",\"above\":1,\"matchers\":[\"a=b\",\"c~d\"]", "/matchers/1",
         "rule r: column 2: no operator"},
        {"\"metric\":\"m\",\"above\":1,\"summary\":\"{{ $labels }}\"", "/summary",
         "rule r: column 1: not a place (allowed: {{ $labels.NAME }}"},
        {"\"metric\":\"m\",\"above\":1,\"summary\":\"a {{ $value\"", "/summary",
         "column 3: not a place"},
        {"\"metric\":\"moonwatch_filesystem_usage_ratio\",\"above\":1,"
         "\"summary\":\"on {{ $labels.mont }}\"",
         "/summary",
         "column 4: there is no label mont (allowed: device, fstype, mount, alertname, severity"},
        {"\"kind\":\"status\",\"summary\":\"{{ $labels.mount }}\"", "/summary",
         "there is no label mount (allowed: component, check, subject"},
        {"\"kind\":\"event\",\"event\":\"crash\",\"summary\":\"{{ $labels.pid }}\"", "/summary",
         "there is no label pid (allowed: event, comm, cgroup, unit, signal"},
        {"\"kind\":\"absent\",\"metric\":\"m\",\"match\":{\"a\":\"b\"},"
         "\"summary\":\"{{$labels.a}}{{$labels.c}}\"",
         "/summary", "there is no label c (allowed: alertname, severity, a)"},
    };
    char text[512], pointer[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_errors errors = {0};
        struct rule_set *set = NULL;

        snprintf(text, sizeof(text), "{\"alert_manager\":{\"rules\":[{\"name\":\"r\",%s}]}}",
                 cases[i].rule);
        snprintf(pointer, sizeof(pointer), "/alert_manager/rules/0%s", cases[i].pointer);
        config = load_valid(text, NULL);
        assert_int_equal(rule_set_create(&set, config, &errors), -EINVAL);
        assert_null(set);
        assert_int_equal(errors.count, 1);
        assert_string_equal(errors.list[0].pointer, pointer);
        if (!strstr(errors.list[0].message, cases[i].message))
            fail_msg("%s: %s", text, errors.list[0].message);
        config_destroy(config);
    }
}

static void sentences_are_filled_in(void **state)
{
    struct labels *labels = NULL;
    struct text out;

    assert_int_equal(labels_create(&labels, PAIRS({"mount", "/var"}, {"team", "ops"})), 0);
    text_init(&out, 256);
    template_render("{{ $labels.mount }} is {{$value}} full: {{ $reason }} [{{ $labels.severity }}"
                    "{{ $labels.none }}] {",
                    &(struct template_values){labels, "error", 0.91234567, "logs"}, &out);
    assert_string_equal(out.data, "/var is 0.9123 full: logs [error] {");
    text_reset(&out);
    template_render("{{ $value }}", &(struct template_values){labels, NULL, NAN, NULL}, &out);
    assert_string_equal(out.data, "unknown");
    text_free(&out);
    labels_unref(labels);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int load_directory(const char *directory, struct config_errors *errors)
{
    char text[512];

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"rules_directory\":\"%s\",\"rules\":["
             "{\"name\":\"own\",\"metric\":\"m\",\"above\":1}]}}",
             directory);
    return load_bytes(&config, text, strlen(text), NULL, errors);
}

static void a_directory_brings_more_rules(void **state)
{
    static const char *const files[] = {"10-a.json", "20-b.json", ".hidden.json", "readme.txt"};
    char directory[] = "/tmp/moonwatch-rules-XXXXXX", path[256];
    struct config_errors errors = {0};
    struct stat st;

    assert_non_null(mkdtemp(directory));
    write_file(directory, "20-b.json",
               "{\"rules\":[{\"name\":\"b\",\"metric\":\"m\",\"below\":1}]}");
    write_file(directory, "10-a.json",
               "{\"rules\":[{\"name\":\"a\",\"metric\":\"m\",\"above\":1},"
               "{\"name\":\"a2\",\"kind\":\"event\",\"event\":\"oom\"}]}");
    write_file(directory, ".hidden.json", "not read");
    write_file(directory, "readme.txt", "not read");
    assert_int_equal(load_directory(directory, &errors), 0);
    assert_int_equal(config->alert_manager.rules.count, 4);
    assert_string_equal(config->alert_manager.rules.items[0].name, "own");
    assert_string_equal(config->alert_manager.rules.items[1].name, "a");
    assert_string_equal(config->alert_manager.rules.items[2].name, "a2");
    assert_string_equal(config->alert_manager.rules.items[3].name, "b");
    config_destroy(config);

    write_file(directory, "20-b.json",
               "{\"rules\":[{\"name\":\"b\",\"metric\":\"m\",\"bellow\":1}]}");
    write_file(directory, "10-a.json",
               "{\"rules\":[{\"name\":\"own\",\"metric\":\"m\",\"above\":1}]}");
    assert_int_equal(load_directory(directory, &errors), -EINVAL);
    assert_int_equal(errors.count, 2);
    snprintf(path, sizeof(path), "%s/10-a.json", directory);
    assert_string_equal(errors.list[0].pointer, path);
    assert_non_null(strstr(errors.list[0].message, "\"own\" is the name of another rule"));
    snprintf(path, sizeof(path), "%s/20-b.json: /rules/0/bellow", directory);
    assert_string_equal(errors.list[1].pointer, path);
    assert_non_null(strstr(errors.list[1].message, "the nearest is below"));

    write_file(directory, "10-a.json", "{\"rules\":");
    write_file(directory, "20-b.json", "{\"rules\":[]}");
    assert_int_equal(load_directory(directory, &errors), -EINVAL);
    assert_int_equal(errors.count, 1);
    snprintf(path, sizeof(path), "%s/10-a.json", directory);
    assert_string_equal(errors.list[0].pointer, path);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
    assert_int_equal(stat(directory, &st), -1);
    assert_int_equal(load_directory(directory, &errors), -EINVAL);
    assert_string_equal(errors.list[0].pointer, "/alert_manager/rules_directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_judge_with_a_band_between),
        cmocka_unit_test(rules_of_a_metric_are_found),
        cmocka_unit_test(an_empty_configuration_has_the_built_in_rules),
        cmocka_unit_test(a_rule_of_the_same_name_replaces_a_built_in_one),
        cmocka_unit_test(durations_have_the_defaults_of_the_kind),
        cmocka_unit_test(an_unhealthy_status_is_critical),
        cmocka_unit_test(mistakes_in_rules_are_found_at_the_check),
        cmocka_unit_test(sentences_are_filled_in),
        cmocka_unit_test(a_directory_brings_more_rules),
    };

    metrics_destroy(NULL); /* links what declares the metrics, as in the agent */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
