/* `moonwatch status`: the running agent's health, as a person wants it at 3 a.m.: what is wrong
 * first, who is behind it, then the figures. */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/status_check.h"
#include "cli/summary.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is asked for, and the member it becomes. */
static const struct part {
    const char *name, *path;
    const char *member; /* of every answer */
} parts[] = {
    {"health", "/health", "components"},
    {"resources", "/health/resources", "cpu"},
    {"scheduler", "/health/scheduler", "run_queue_delay"},
    {"priority", "/health/priority", "classes"},
};

/* https://no-color.org: set to anything but nothing. Some terminals show the codes themselves. */
static bool no_colour(void)
{
    const char *value = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return (value && *value) || (terminal && strcmp(terminal, "dumb") == 0);
}

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

/* -1 with one line in `error`. */
static int fetch_part(const struct http_url *url, const struct part *part, const char *token,
                      cJSON **ret, char error[HTTP_ERROR_BYTES])
{
    struct http_answer answer;
    cJSON *json;

    if (http_get(url, part->path, token, &answer, error) < 0)
        return -1;
    json = client_read(url, part->path, &answer, part->member, error);
    if (!json)
        return -1;
    /* An unhealthy host answers 503 with the same body. */
    if (answer.status != 200 && !cJSON_HasObjectItem(json, "components")) {
        snprintf(error, HTTP_ERROR_BYTES, "http://%s%s: %u: %s", url->authority, part->path,
                 answer.status, client_error_message(json));
        cJSON_Delete(json);
        return -1;
    }
    *ret = json;
    return 0;
}

static int print_summary(const struct http_url *url, const char *token, bool as_json)
{
    __attribute__((cleanup(cleanup_json))) cJSON *answers = cJSON_CreateObject();
    char error[HTTP_ERROR_BYTES];
    bool coloured = isatty(STDOUT_FILENO) && !no_colour();

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        cJSON *part;

        if (fetch_part(url, &parts[i], token, &part, error) < 0) {
            cli_error("%s", error);
            return EXIT_FAILED;
        }
        cJSON_AddItemToObject(answers, parts[i].name, part);
    }
    if (as_json)
        return client_print_json(answers);
    return summary_print(stdout, answers, url->authority, coloured) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int check(const struct http_url *url, const char *token)
{
    __attribute__((cleanup(cleanup_json))) cJSON *health = NULL, *resources = NULL;
    char error[HTTP_ERROR_BYTES];

    if (fetch_part(url, &parts[0], token, &health, error) < 0)
        return status_check_fail(stdout, error);
    /* Without a token the state is public and the figures may not be. */
    if (fetch_part(url, &parts[1], token, &resources, error) < 0)
        resources = NULL;
    return status_check_print(stdout, health, resources);
}

static bool asks_for_check(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--check") == 0)
            return true;
    return false;
}

int cli_status(int argc, char **argv)
{
    struct client_options client = {0};
    bool json = false, plugin = asks_for_check(argc, argv);
    const struct cli_option options[] = {
        {.name = "--json", .flag = &json},
        {.name = "--check", .flag = &plugin},
        {.name = "--url", .value = &client.url},
        {.name = "--token-file", .value = &client.token_file},
        {.name = "--config", .value = &client.config},
    };
    __attribute__((cleanup(client_release_agent))) struct client_agent agent = {0};
    char error[HTTP_ERROR_BYTES];
    int code;

    /* To a monitoring core, the exit code of wrong usage would be an outage. */
    if (cli_parse("status", argc, argv, options, sizeof(options) / sizeof(options[0]), 0) < 0)
        return plugin ? status_check_fail(stdout, "wrong usage (see moonwatch status --help)")
                      : EXIT_USAGE;
    if (plugin && json)
        return status_check_fail(stdout, "wrong usage: either --check or --json");
    code = client_find_agent(&client, &agent, error);
    if (code != EXIT_DONE) {
        if (plugin)
            return status_check_fail(stdout, error);
        cli_error("%s", error);
        return code;
    }
    return plugin ? check(&agent.url, agent.token) : print_summary(&agent.url, agent.token, json);
}
