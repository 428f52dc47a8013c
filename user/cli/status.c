/* `moonwatch status`: the running agent's health, as a person wants it at 3 a.m.: what is wrong
 * first, who is behind it, then the figures. */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/summary.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is asked for, and the member it becomes. */
static const struct {
    const char *name, *path;
} parts[] = {
    {"health", "/health"},
    {"resources", "/health/resources"},
    {"scheduler", "/health/scheduler"},
    {"priority", "/health/priority"},
};

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

/* -1 after one line on stderr. */
static int fetch_part(const struct http_url *url, const char *path, const char *token, cJSON *out,
                      const char *name)
{
    char error[HTTP_ERROR_BYTES];
    struct http_answer answer;
    cJSON *json;

    if (http_get(url, path, token, &answer, error) < 0) {
        cli_error("%s", error);
        return -1;
    }
    json = cJSON_ParseWithLength(answer.body, answer.len);
    free(answer.body);
    if (!json) {
        cli_error("http://%s%s: the answer is not JSON: no moonwatch there?", url->authority, path);
        return -1;
    }
    /* An unhealthy host answers 503 with the same body. */
    if (answer.status != 200 && !cJSON_HasObjectItem(json, "components")) {
        cli_error("http://%s%s: %u: %s", url->authority, path, answer.status,
                  client_error_message(json));
        cJSON_Delete(json);
        return -1;
    }
    cJSON_AddItemToObject(out, name, json);
    return 0;
}

int cli_status(int argc, char **argv)
{
    const char *url_text = CLI_URL_DEFAULT, *token_file = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "--json", .flag = &json},
        {.name = "--url", .value = &url_text},
        {.name = "--token-file", .value = &token_file},
    };
    __attribute__((cleanup(cleanup_json))) cJSON *answers = NULL;
    CLEANUP_FREE char *token = NULL;
    char error[HTTP_ERROR_BYTES];
    struct http_url url;

    if (cli_parse("status", argc, argv, options, sizeof(options) / sizeof(options[0]), 0) < 0)
        return EXIT_USAGE;
    if (http_url_parse(url_text, &url, error) < 0) {
        cli_error("%s", error);
        return EXIT_USAGE;
    }
    if (client_read_token(token_file, &token) < 0)
        return EXIT_FAILED;
    answers = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (fetch_part(&url, parts[i].path, token, answers, parts[i].name) < 0)
            return EXIT_FAILED;
    if (json)
        return client_print_json(answers);
    return summary_print(stdout, answers, url.authority, isatty(STDOUT_FILENO)) < 0 ? EXIT_FAILED
                                                                                    : EXIT_DONE;
}
