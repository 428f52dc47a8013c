/* `moonwatch breaker list|reset|open|close [NAME]`. */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 512

static const struct action {
    const char *name;
    const char *path; /* %s: the upstream's name */
    bool acts, wants_name, takes_name;
} actions[] = {
    {"list", "/breakers"},
    {"reset", "/admin/circuit-breaker/reset", .acts = true, .takes_name = true},
    {"open", "/admin/circuit-breaker/%s/open", .acts = true, .wants_name = true},
    {"close", "/admin/circuit-breaker/%s/close", .acts = true, .wants_name = true},
};

struct options {
    struct client_options client;
    bool json;
};

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text ? text : "-";
}

static int print_table(const cJSON *answer)
{
    const cJSON *breakers = cJSON_GetObjectItemCaseSensitive(answer, "breakers"), *one;

    if (!cJSON_GetArraySize(breakers)) {
        printf("no breakers: %s\n", text_of(answer, "breakers_reason"));
        return EXIT_DONE;
    }
    printf("%-24s %-12s %-12s %-9s %-32s %s\n", "NAME", "STATE", "MODE", "ENFORCED", "RETRY AT",
           "LAST TRANSITION");
    cJSON_ArrayForEach (one, breakers) {
        const cJSON *last = cJSON_GetObjectItemCaseSensitive(one, "last_transition");
        bool known = cJSON_IsObject(last);
        bool enforced = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "enforced"));

        printf("%-24s %-12s %-12s %-9s %-32s %s\n", text_of(one, "name"), text_of(one, "state"),
               text_of(one, "mode"), enforced ? "yes" : "no", text_of(one, "retry_at"),
               known ? text_of(last, "reason") : text_of(one, "last_transition_reason"));
    }
    cJSON_ArrayForEach (one, breakers) {
        const char *because =
            cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(one, "not_enforced_because"));

        if (because && strcmp(text_of(one, "mode"), "observe") != 0)
            printf("%s is not enforced: %s\n", text_of(one, "name"), because);
    }
    return EXIT_DONE;
}

static int ask(const struct action *action, const struct client_agent *agent, const char *name,
               struct http_answer *ret)
{
    char escaped[PATH_BYTES / 2] = "", path[PATH_BYTES], error[HTTP_ERROR_BYTES];
    __attribute__((cleanup(cleanup_json))) cJSON *body = NULL;
    CLEANUP_FREE char *printed = NULL;
    int r;

    if (name)
        client_escape(name, escaped, sizeof(escaped));
    if (action->wants_name)
        snprintf(path, sizeof(path), action->path, escaped);
    else
        snprintf(path, sizeof(path), "%s", action->path);
    if (name && action->takes_name) {
        body = cJSON_CreateObject();
        cJSON_AddStringToObject(body, "name", name);
        printed = cJSON_PrintUnformatted(body);
    }
    r = action->acts ? http_post(&agent->url, path, agent->token, printed, ret, error)
                     : http_get(&agent->url, path, agent->token, ret, error);
    if (r < 0)
        cli_error("%s", error);
    return r;
}

static int run(const struct action *action, const char *name, const struct options *options)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json = NULL;
    __attribute__((cleanup(client_release_agent))) struct client_agent agent = {0};
    char error[HTTP_ERROR_BYTES];
    int code = client_find_agent(&options->client, &agent, error);
    struct http_answer answer;

    if (code != EXIT_DONE) {
        cli_error("%s", error);
        return code;
    }
    if (ask(action, &agent, name, &answer) < 0)
        return EXIT_FAILED;
    json = client_read(&agent.url, "", &answer, "breakers", error);
    if (!json) {
        cli_error("%s", error);
        return EXIT_FAILED;
    }
    if (answer.status != 200) {
        cli_error("breaker %s: %s", action->name, client_error_message(json));
        return EXIT_FAILED;
    }
    return options->json ? client_print_json(json) : print_table(json);
}

int cli_breaker(int argc, char **argv)
{
    struct options options = {0};
    const struct cli_option known[] = {
        {.name = "--json", .flag = &options.json},
        {.name = "--url", .value = &options.client.url},
        {.name = "--token-file", .value = &options.client.token_file},
        {.name = "--config", .value = &options.client.config},
    };
    int operands = cli_parse("breaker", argc, argv, known, sizeof(known) / sizeof(known[0]), 2);
    const struct action *action = operands > 0 ? find_action(argv[0]) : NULL;

    if (operands < 0)
        return EXIT_USAGE;
    if (!action) {
        cli_error("breaker: wants one of list, reset, open, close (see moonwatch breaker --help)");
        return EXIT_USAGE;
    }
    if (action->wants_name && operands < 2) {
        cli_error("breaker %s: wants the name of an upstream (moonwatch breaker list)",
                  action->name);
        return EXIT_USAGE;
    }
    if (!action->wants_name && !action->takes_name && operands > 1) {
        cli_error("breaker %s: unexpected argument %s", action->name, argv[1]);
        return EXIT_USAGE;
    }
    return run(action, operands > 1 ? argv[1] : NULL, &options);
}
