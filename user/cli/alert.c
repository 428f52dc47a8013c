/* `moonwatch alert list|ack|silence|unsilence|test|send-test`. */
#include "base/cleanup.h"
#include "cli/alert_list.h"
#include "cli/alert_send.h"
#include "cli/alert_test.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 2048
#define MATCHERS_MAX 32
#define SILENCE_SECONDS_DEFAULT 3600

struct options {
    struct client_options client;
    struct client_agent agent; /* of all actions but test */
    bool json;
    const char *state, *severity, *matcher, *limit;
    const char *by, *comment, *duration;
    const char *rules, *input;
    char **operands;
    int operand_count;
};

enum action {
    ACTION_LIST,
    ACTION_ACK,
    ACTION_SILENCE,
    ACTION_UNSILENCE,
    ACTION_TEST,
    ACTION_SEND_TEST,
    ACTION_COUNT
};

static const char *const action_names[ACTION_COUNT] = {"list",      "ack",  "silence",
                                                       "unsilence", "test", "send-test"};

#define OF(action) (1u << ACTION_##action)
#define OF_ACTING (OF(ACK) | OF(SILENCE) | OF(UNSILENCE))

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

/* "90", "90s", "30m", "2h", "7d": seconds; NaN when it is none. */
static double parse_duration(const char *text)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    double value = strtod(text, &end);

    if (end == text || !(value > 0) || !isfinite(value))
        return NAN;
    if (!*end)
        return value;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (*end == units[i].unit && !end[1])
            return value * units[i].seconds;
    return NAN;
}

/* One request and its answer as JSON, which has the member; NULL after one line on stderr. */
static cJSON *exchange(const struct options *options, const char *what, const char *method,
                       const char *path, const cJSON *body, const char *member)
{
    CLEANUP_FREE char *printed = body ? cJSON_PrintUnformatted(body) : NULL;
    char error[HTTP_ERROR_BYTES];
    const struct http_url *url = &options->agent.url;
    const char *token = options->agent.token;
    struct http_answer answer;
    cJSON *json;
    int r;

    if (strcmp(method, "GET") == 0)
        r = http_get(url, path, token, &answer, error);
    else if (strcmp(method, "DELETE") == 0)
        r = http_delete(url, path, token, &answer, error);
    else
        r = http_post(url, path, token, printed, &answer, error);
    if (r < 0) {
        cli_error("%s", error);
        return NULL;
    }
    json = client_read(url, "", &answer, member, error);
    if (!json) {
        cli_error("%s", error);
        return NULL;
    }
    if (answer.status == 200)
        return json;
    cli_error("alert %s: %s", what, client_error_message(json));
    cJSON_Delete(json);
    return NULL;
}

static void add_query(char path[PATH_BYTES], const char *name, const char *value)
{
    char escaped[PATH_BYTES / 3];
    size_t len = strlen(path);

    if (!value)
        return;
    client_escape(value, escaped, sizeof(escaped));
    snprintf(path + len, PATH_BYTES - len, "%c%s=%s", strchr(path, '?') ? '&' : '?', name, escaped);
}

static int list(const struct options *options)
{
    __attribute__((cleanup(cleanup_json))) cJSON *alerts = NULL, *silences = NULL;
    char path[PATH_BYTES] = "/alerts";

    add_query(path, "state", options->state);
    add_query(path, "severity", options->severity);
    add_query(path, "matcher", options->matcher);
    add_query(path, "limit", options->limit);
    alerts = exchange(options, "list", "GET", path, NULL, "alerts");
    silences = alerts ? exchange(options, "list", "GET", "/silences", NULL, "silences") : NULL;
    if (!silences)
        return EXIT_FAILED;
    if (!options->json)
        return alert_list_print(alerts, silences);
    cJSON_AddItemToObject(alerts, "silences",
                          cJSON_DetachItemFromObjectCaseSensitive(silences, "silences"));
    return client_print_json(alerts);
}

/* The person behind sudo is who is to be asked about it. */
static const char *this_user(void)
{
    const char *name = getenv("SUDO_USER");

    if (!name || !*name)
        name = getenv("USER");
    return name && *name ? name : "moonwatch alert";
}

static void add_person(cJSON *body, const char *key, const struct options *options)
{
    cJSON_AddStringToObject(body, key, options->by ? options->by : this_user());
    if (options->comment)
        cJSON_AddStringToObject(body, "comment", options->comment);
}

static int ack(const struct options *options)
{
    __attribute__((cleanup(cleanup_json))) cJSON *body = cJSON_CreateObject(), *answer = NULL;
    char escaped[PATH_BYTES / 2], path[PATH_BYTES];

    client_escape(options->operands[0], escaped, sizeof(escaped));
    snprintf(path, sizeof(path), "/admin/alerts/%s/ack", escaped);
    add_person(body, "by", options);
    if (options->duration)
        cJSON_AddNumberToObject(body, "duration_seconds", parse_duration(options->duration));
    answer = exchange(options, "ack", "POST", path, body, "labels");
    if (!answer)
        return EXIT_FAILED;
    if (options->json)
        return client_print_json(answer);
    alert_list_print_one(answer);
    return EXIT_DONE;
}

static int silence(const struct options *options)
{
    __attribute__((cleanup(cleanup_json))) cJSON *body = cJSON_CreateObject(), *answer = NULL;
    cJSON *matchers = cJSON_AddArrayToObject(body, "matchers");

    for (int i = 0; i < options->operand_count; i++)
        cJSON_AddItemToArray(matchers, cJSON_CreateString(options->operands[i]));
    cJSON_AddNumberToObject(body, "duration_seconds",
                            options->duration ? parse_duration(options->duration)
                                              : SILENCE_SECONDS_DEFAULT);
    add_person(body, "creator", options);
    answer = exchange(options, "silence", "POST", "/admin/silences", body, "silences");
    if (!answer)
        return EXIT_FAILED;
    return options->json ? client_print_json(answer) : alert_list_print_silences(answer);
}

static int unsilence(const struct options *options)
{
    __attribute__((cleanup(cleanup_json))) cJSON *answer = NULL;
    char escaped[PATH_BYTES / 2], path[PATH_BYTES];

    client_escape(options->operands[0], escaped, sizeof(escaped));
    snprintf(path, sizeof(path), "/admin/silences/%s", escaped);
    answer = exchange(options, "unsilence", "DELETE", path, NULL, "silences");
    if (!answer)
        return EXIT_FAILED;
    return options->json ? client_print_json(answer) : alert_list_print_silences(answer);
}

static int run(enum action action, struct options *options)
{
    static const struct {
        int (*run)(const struct options *options);
        int operands_min, operands_max;
        const char *wants;
    } rows[ACTION_COUNT] = {
        [ACTION_LIST] = {list, 0, 0, "no arguments"},
        [ACTION_ACK] = {ack, 1, 1, "the id of an alert (moonwatch alert list)"},
        [ACTION_SILENCE] = {silence, 1, MATCHERS_MAX, "matchers, as alertname=HostDisk"},
        [ACTION_UNSILENCE] = {unsilence, 1, 1, "the id of a silence (moonwatch alert list)"},
    };
    char error[HTTP_ERROR_BYTES];
    int code;

    if (action == ACTION_TEST) {
        if ((options->rules || options->client.config) && options->input &&
            options->operand_count == 0)
            return cli_alert_test(options->client.config, options->rules, options->input);
        cli_error("alert test: wants --rules FILE or --config FILE, and --input FILE (see "
                  "moonwatch alert --help)");
        return EXIT_USAGE;
    }
    if (action == ACTION_SEND_TEST) {
        if (options->operand_count == 1)
            return cli_alert_send(options->client.config, options->operands[0]);
        cli_error("alert send-test: wants the name of one channel");
        return EXIT_USAGE;
    }
    if (options->operand_count < rows[action].operands_min ||
        options->operand_count > rows[action].operands_max) {
        cli_error("alert %s: wants %s", action_names[action], rows[action].wants);
        return EXIT_USAGE;
    }
    if (options->duration && isnan(parse_duration(options->duration))) {
        cli_error("alert %s: --for %s: not a time (allowed: 90s, 30m, 2h, 7d)",
                  action_names[action], options->duration);
        return EXIT_USAGE;
    }
    code = client_find_agent(&options->client, &options->agent, error);
    if (code == EXIT_DONE)
        code = rows[action].run(options);
    else
        cli_error("%s", error);
    client_release_agent(&options->agent);
    return code;
}

/* An option of another action is a mistake, and not to be ignored. */
static bool options_fit(enum action action, const struct options *options)
{
    const struct {
        const char *name;
        bool given;
        unsigned actions;
    } rows[] = {
        {"--json", options->json, OF(LIST) | OF_ACTING},
        {"--url", options->client.url, OF(LIST) | OF_ACTING},
        {"--token-file", options->client.token_file, OF(LIST) | OF_ACTING},
        {"--state", options->state, OF(LIST)},
        {"--severity", options->severity, OF(LIST)},
        {"--matcher", options->matcher, OF(LIST)},
        {"--limit", options->limit, OF(LIST)},
        {"--by", options->by, OF(ACK) | OF(SILENCE)},
        {"--comment", options->comment, OF(ACK) | OF(SILENCE)},
        {"--for", options->duration, OF(ACK) | OF(SILENCE)},
        {"--config", options->client.config, OF(LIST) | OF_ACTING | OF(TEST) | OF(SEND_TEST)},
        {"--rules", options->rules, OF(TEST)},
        {"--input", options->input, OF(TEST)},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!rows[i].given || rows[i].actions & (1u << action))
            continue;
        cli_error("alert %s: does not take %s (see moonwatch alert --help)", action_names[action],
                  rows[i].name);
        return false;
    }
    return true;
}

int cli_alert(int argc, char **argv)
{
    struct options options = {0};
    const struct cli_option known[] = {
        {.name = "--json", .flag = &options.json},
        {.name = "--url", .value = &options.client.url},
        {.name = "--token-file", .value = &options.client.token_file},
        {.name = "--state", .value = &options.state},
        {.name = "--severity", .value = &options.severity},
        {.name = "--matcher", .value = &options.matcher, .may_be_empty = true},
        {.name = "--limit", .value = &options.limit},
        {.name = "--by", .value = &options.by},
        {.name = "--comment", .value = &options.comment, .may_be_empty = true},
        {.name = "--for", .value = &options.duration},
        {.name = "--config", .value = &options.client.config},
        {.name = "--rules", .value = &options.rules},
        {.name = "--input", .value = &options.input},
    };
    int operands =
        cli_parse("alert", argc, argv, known, sizeof(known) / sizeof(known[0]), MATCHERS_MAX + 1);
    int action = 0;

    if (operands < 0)
        return EXIT_USAGE;
    while (operands > 0 && action < ACTION_COUNT && strcmp(action_names[action], argv[0]) != 0)
        action++;
    if (operands == 0 || action == ACTION_COUNT) {
        cli_error(
            "alert: wants one of list, ack, silence, unsilence, test, send-test (see moonwatch "
            "alert --help)");
        return EXIT_USAGE;
    }
    if (!options_fit((enum action)action, &options))
        return EXIT_USAGE;
    options.operands = argv + 1;
    options.operand_count = operands - 1;
    return run((enum action)action, &options);
}
