#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "config/json_error.h"
#include "config/reader.h"
#include "config/scalar.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The configuration is five levels deep; cJSON recurses, so a bound stands before it. */
#define DEPTH_MAX 32

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

/* "line L, column C" of a byte, both from 1; columns count bytes. */
static void error_at(struct config_errors *errors, const char *content, size_t position,
                     const char *what, const char *allowed)
{
    size_t line = 1, column = 1, i;

    for (i = 0; i < position; i++) {
        column++;
        if (content[i] == '\n') {
            line++;
            column = 1;
        }
    }
    config_error_add(errors, "", "line %zu, column %zu: %s (allowed: %s)", line, column, what,
                     allowed);
}

/* Where nesting passes DEPTH_MAX, or `len`. */
static size_t too_deep_at(const char *content, size_t len)
{
    size_t i, depth = 0;
    bool in_string = false;

    for (i = 0; i < len; i++) {
        if (in_string) {
            if (content[i] == '\\')
                i++;
            else if (content[i] == '"')
                in_string = false;
        } else if (content[i] == '"') {
            in_string = true;
        } else if (content[i] == '{' || content[i] == '[') {
            if (++depth > DEPTH_MAX)
                return i;
        } else if ((content[i] == '}' || content[i] == ']') && depth) {
            depth--;
        }
    }
    return len;
}

static bool blank(const char *content)
{
    return !content[strspn(content, " \t\r\n")];
}

static int parse(cJSON **ret, const char *content, size_t len, struct config_errors *errors)
{
    const char *end = NULL, *nul;
    struct json_error error;
    size_t position;

    position = utf8_valid_prefix(content, len);
    if (position < len) {
        error_at(errors, content, position, "a byte that is not UTF-8", "UTF-8 text");
        return -EINVAL;
    }
    if (memchr(content, '\0', len)) {
        error_at(errors, content, strlen(content), "a NUL byte", "JSON text");
        return -EINVAL;
    }
    if (blank(content)) {
        config_error_add(errors, "", "the file is empty (allowed: a JSON object, e.g. {})");
        return -EINVAL;
    }
    position = too_deep_at(content, len);
    if (position < len) {
        error_at(errors, content, position, "nested too deep", "32 levels");
        return -EINVAL;
    }
    /* The length includes the NUL: cJSON looks there for the end of the text. */
    *ret = cJSON_ParseWithLengthOpts(content, len + 1, &end, true);
    if (!*ret) {
        error =
            (struct json_error){end ? (size_t)(end - content) : 0, "not JSON from here", "JSON"};
        json_find_error(content, &error);
        error_at(errors, content, error.at, error.what, error.allowed);
        return -EINVAL;
    }
    nul = json_find_nul(content);
    if (nul) {
        error_at(errors, content, (size_t)(nul - content), "a NUL in a text",
                 "any other character");
        return -EINVAL;
    }
    return 0;
}

int config_parse_file(cJSON **ret, const char *path, struct config_errors *errors)
{
    CLEANUP_FREE char *content = NULL;
    size_t len;
    int err;

    err = file_read_all(NULL, path, CONFIG_BYTES_MAX, &content, &len);
    if (err == -EFBIG) {
        config_error_add(errors, "", "the file is too large (allowed: at most %d bytes)",
                         CONFIG_BYTES_MAX);
        return err;
    }
    if (err) {
        config_error_add(errors, "", "cannot read it: %s (allowed: a readable JSON file)",
                         file_error(err));
        return err;
    }
    return parse(ret, content, len, errors);
}

int config_load(struct config **ret, const char *path, char *const *environment,
                struct config_errors *errors)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json = NULL;
    struct reader reader = {.environment = environment, .errors = errors};
    int err = 0;

    errors->count = 0;
    errors->warning_count = 0;
    if (path)
        err = config_parse_file(&json, path, errors);
    if (err)
        return err;
    reader.config = calloc(1, sizeof(*reader.config));
    if (!reader.config) {
        config_error_add(errors, "", "out of memory");
        return -ENOMEM;
    }
    reader_read(&reader, json);
    if (!errors->count && !reader.out_of_memory &&
        config_read_rules_directory(reader.config, errors) == -ENOMEM)
        reader.out_of_memory = true;
    if (reader.out_of_memory && !errors->count)
        config_error_add(errors, "", "out of memory");
    if (errors->count) {
        config_destroy(reader.config);
        return reader.out_of_memory ? -ENOMEM : -EINVAL;
    }
    *ret = reader.config;
    return 0;
}

void config_destroy(struct config *config)
{
    if (!config)
        return;
    reader_release(&config_table, config);
    free(config);
}

const char *config_find(const char *argument, char *const *environment)
{
    const char *variable = environment_value(environment, "MOONWATCH_CONFIG");
    struct stat st;

    if (argument)
        return argument;
    if (variable && *variable)
        return variable;
    /* Only a missing file counts as none: an unreadable one is an error to report. */
    if (stat(CONFIG_PATH_DEFAULT, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return NULL;
    return CONFIG_PATH_DEFAULT;
}

/* systemd joins several directories with colons; then none of them is meant alone. */
static const char *directory(char *const *environment, const char *name, const char *otherwise)
{
    const char *value = environment_value(environment, name);

    return value && value[0] == '/' && !strchr(value, ':') ? value : otherwise;
}

const char *config_runtime_directory(char *const *environment)
{
    return directory(environment, "RUNTIME_DIRECTORY", "/run/moonwatch");
}

const char *config_state_directory(char *const *environment)
{
    return directory(environment, "STATE_DIRECTORY", "/var/lib/moonwatch");
}
