#include "cli/client.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "config/config.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_FILE_BYTES 1024
#define PATH_BYTES 512

const char *client_error_message(const cJSON *json)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));

    return message ? message : "no reason given";
}

/* Names of processes and comments of people may hold what a terminal takes for a command. */
static void clean(cJSON *json)
{
    struct text text;
    cJSON *each;

    cJSON_ArrayForEach (each, json)
        clean(each);
    if (!cJSON_IsString(json) || text_clean_prefix(json->valuestring, strlen(json->valuestring)) ==
                                     strlen(json->valuestring))
        return;
    text_init(&text, SIZE_MAX / 2);
    text_add_clean(&text, json->valuestring);
    cJSON_SetValuestring(json, text.failed ? "" : text.data);
    text_free(&text);
}

cJSON *client_parse(const char *body, size_t len)
{
    cJSON *json = cJSON_ParseWithLength(body, len);

    if (json)
        clean(json);
    return json;
}

int client_read_token(const char *path, char **ret)
{
    size_t len;
    int r;

    if (!path)
        return 0;
    r = file_read_all(NULL, path, TOKEN_FILE_BYTES, ret, &len);
    if (r < 0)
        cli_error("--token-file %s: %s", path, file_error(r));
    else
        (*ret)[strcspn(*ret, " \t\r\n")] = '\0';
    return r;
}

int client_find_token(const char *path, bool admin, char **ret)
{
    char own[PATH_BYTES];

    if (path || !admin)
        return client_read_token(path, ret);
    snprintf(own, sizeof(own), "%s/admin.token", config_runtime_directory(environ));
    return access(own, R_OK) == 0 ? client_read_token(own, ret) : 0;
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
