#include "cli/client.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include <string.h>

#define TOKEN_FILE_BYTES 1024

const char *client_error_message(const cJSON *json)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));

    return message ? message : "no reason given";
}

int client_read_token(const char *path, char **ret)
{
    size_t len;
    int r;

    if (!path)
        return 0;
    r = file_read_all(NULL, path, TOKEN_FILE_BYTES, ret, &len);
    if (r < 0)
        cli_error("--token-file %s: %s", path, strerror(-r));
    else
        (*ret)[strcspn(*ret, " \t\r\n")] = '\0';
    return r;
}

int client_print_json(const cJSON *answers)
{
    CLEANUP_FREE char *printed = cJSON_Print(answers);

    if (!printed)
        return EXIT_FAILED;
    return puts(printed) < 0 || fflush(stdout) == EOF ? EXIT_FAILED : EXIT_DONE;
}
