#include "cli/client.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "config/config.h"
#include "http/listen.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_FILE_BYTES 1024
#define PATH_BYTES 512
#define URL_BYTES 512

const char *client_error_message(const cJSON *json)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));

    return message ? message : "no reason given";
}

/* Names of processes and comments of people may hold what a terminal takes for a command, and what
 * answers may be no agent. */
static void clean(cJSON *json)
{
    const char *value = cJSON_GetStringValue(json);
    cJSON *each;

    cJSON_ArrayForEach (each, json)
        clean(each);
    if (value && !text_is_clean(value)) {
        CLEANUP_FREE char *cleaned = text_cleaned(value);

        cJSON_SetValuestring(json, cleaned ? cleaned : "");
    }
    if (json->string && !text_is_clean(json->string)) {
        char *cleaned = text_cleaned(json->string);

        free(json->string);
        json->string = cleaned;
    }
}

static cJSON *parse(const char *body, size_t len)
{
    cJSON *json = cJSON_ParseWithLength(body, len);

    if (json)
        clean(json);
    return json;
}

cJSON *client_read(const struct http_url *url, const char *path, struct http_answer *answer,
                   const char *member, char error[HTTP_ERROR_BYTES])
{
    cJSON *json = parse(answer->body, answer->len);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, member);

    free(answer->body);
    answer->body = NULL;
    if (!json) {
        snprintf(error, HTTP_ERROR_BYTES,
                 "http://%s%s: the answer is not JSON: no moonwatch there?", url->authority, path);
        return NULL;
    }
    if (answer->status != 200 || cJSON_IsArray(item) || cJSON_IsObject(item) || cJSON_IsNull(item))
        return json;
    snprintf(error, HTTP_ERROR_BYTES, "http://%s%s: the answer has no \"%s\": no moonwatch there?",
             url->authority, path, member);
    cJSON_Delete(json);
    return NULL;
}

/* What would not be one word in a header is no token. */
static bool is_token(const char *text)
{
    size_t len = 0;

    while (text[len] > ' ' && text[len] < '\x7f')
        len++;
    return len > 0 && !text[len];
}

static int read_token(const char *path, char **ret, char error[HTTP_ERROR_BYTES])
{
    size_t len;
    int r = file_read_all(NULL, path, TOKEN_FILE_BYTES, ret, &len);
    const char *why = r == -EFBIG ? "it is too large for one" : file_error(r);

    if (r == 0) {
        bool whole = !memchr(*ret, '\0', len);

        (*ret)[strcspn(*ret, " \t\r\n")] = '\0';
        if (whole && is_token(*ret))
            return EXIT_DONE;
        why = "there is none in it";
    }
    snprintf(error, HTTP_ERROR_BYTES, "--token-file %s: %s (allowed: a file with a bearer token)",
             path, why);
    return EXIT_FAILED;
}

/* "0.0.0.0:8000" is everywhere, so here too. */
static int url_of_listen(const char *path, const char *listen, char url[URL_BYTES],
                         char error[HTTP_ERROR_BYTES])
{
    const char *port = strrchr(listen, ':');
    const char *host = strncmp(listen, "0.0.0.0:", 8) == 0 ? "127.0.0.1"
                       : strncmp(listen, "[::]:", 5) == 0  ? "[::1]"
                                                           : NULL;

    if (strcmp(port, ":0") == 0) {
        snprintf(error, HTTP_ERROR_BYTES,
                 "%s: server.listen %s is any free port: say which with --url (the agent's log "
                 "tells it)",
                 path, listen);
        return EXIT_FAILED;
    }
    if (host)
        snprintf(url, URL_BYTES, "http://%s%s", host, port);
    else
        snprintf(url, URL_BYTES, "http://%s", listen);
    return EXIT_DONE;
}

/* A file that is wrong is not what the running agent reads, unless it was asked for. */
static int configured_url(const char *asked, char url[URL_BYTES], char error[HTTP_ERROR_BYTES])
{
    const char *path = config_find(asked, environ);
    struct config_errors errors = {0};
    struct config *config = NULL;
    int code;

    snprintf(url, URL_BYTES, "%s", CLI_URL_DEFAULT);
    if (!path || (!asked && access(path, R_OK) < 0))
        return EXIT_DONE;
    if (config_load(&config, path, NULL, &errors) < 0) {
        if (!asked)
            return EXIT_DONE;
        config_errors_say(&errors, path, error, HTTP_ERROR_BYTES);
        return EXIT_USAGE;
    }
    if (config->server.tls_certificate_file) {
        snprintf(error, HTTP_ERROR_BYTES,
                 "%s: the agent serves HTTPS, which this command does not speak (name a proxy "
                 "with --url, or use curl)",
                 path);
        code = EXIT_FAILED;
    } else {
        code = url_of_listen(path, config->server.listen, url, error);
    }
    config_destroy(config);
    return code;
}

static bool is_this_host(const struct http_url *url)
{
    struct listen_address address;

    return listen_parse(url->authority, &address) == 0 && listen_is_loopback(&address);
}

int client_find_agent(const struct client_options *options, struct client_agent *ret,
                      char error[HTTP_ERROR_BYTES])
{
    char url[URL_BYTES], own[PATH_BYTES];
    int code = options->url ? EXIT_DONE : configured_url(options->config, url, error);

    if (code != EXIT_DONE)
        return code;
    if (http_url_parse(options->url ? options->url : url, &ret->url, error) < 0)
        return EXIT_USAGE;
    if (options->token_file)
        return read_token(options->token_file, &ret->token, error);
    snprintf(own, sizeof(own), "%s/admin.token", config_runtime_directory(environ));
    if ((options->url && !is_this_host(&ret->url)) || access(own, R_OK) < 0)
        return EXIT_DONE;
    return read_token(own, &ret->token, error);
}

void client_release_agent(struct client_agent *agent)
{
    free(agent->token);
    agent->token = NULL;
}

void client_escape(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text && n + 4 < size; text++) {
        if (isalnum((unsigned char)*text) || strchr("-_.", *text))
            out[n++] = *text;
        else
            n += (size_t)snprintf(out + n, size - n, "%%%02X", (unsigned char)*text);
    }
    out[n] = '\0';
}

int client_print_json(const cJSON *answers)
{
    CLEANUP_FREE char *printed = cJSON_Print(answers);

    if (!printed)
        return EXIT_FAILED;
    return puts(printed) < 0 || fflush(stdout) == EOF ? EXIT_FAILED : EXIT_DONE;
}
