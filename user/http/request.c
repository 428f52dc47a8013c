#include "http/request.h"
#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct field *find(const struct field_table *takes, const char *key)
{
    for (size_t i = 0; i < takes->count; i++)
        if (strcmp(takes->fields[i].key, key) == 0)
            return &takes->fields[i];
    return NULL;
}

static bool is_strings(const cJSON *json)
{
    const cJSON *each;

    if (cJSON_IsString(json))
        return true;
    if (!cJSON_IsArray(json))
        return false;
    cJSON_ArrayForEach (each, json)
        if (!cJSON_IsString(each))
            return false;
    return true;
}

static bool fits(const struct field *field, const cJSON *json)
{
    switch (field->kind) {
    case FIELD_STRINGS:
        return is_strings(json);
    case FIELD_DOUBLE:
        return cJSON_IsNumber(json) && isfinite(json->valuedouble);
    default:
        return cJSON_IsString(json);
    }
}

static const char *kind_text(const struct field *field)
{
    return field->kind == FIELD_STRINGS  ? "a string or an array of strings"
           : field->kind == FIELD_DOUBLE ? "a number"
                                         : "a string";
}

static void list_keys(const struct field_table *takes, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < takes->count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", takes->fields[i].key);
}

static int check(const struct field_table *takes, const cJSON *json,
                 char error[REQUEST_ERROR_BYTES])
{
    const cJSON *each;
    char keys[REQUEST_ERROR_BYTES - 80];

    cJSON_ArrayForEach (each, json) {
        const struct field *field = find(takes, each->string);

        if (!field) {
            list_keys(takes, keys, sizeof(keys));
            snprintf(error, REQUEST_ERROR_BYTES,
                     "the body has an unknown key \"%.30s\" (allowed: %s)", each->string, keys);
            return -EINVAL;
        }
        if (!fits(field, each)) {
            snprintf(error, REQUEST_ERROR_BYTES, "%s is not %s", field->key, kind_text(field));
            return -EINVAL;
        }
        if (field->kind == FIELD_STRING && strlen(each->valuestring) > REQUEST_STRING_MAX) {
            snprintf(error, REQUEST_ERROR_BYTES, "%s is longer than %d bytes", field->key,
                     REQUEST_STRING_MAX);
            return -EINVAL;
        }
    }
    return 0;
}

/* A string would end there. */
static bool holds_nul(const char *text, size_t len)
{
    static const char escaped[] = "\\u0000";
    const size_t escaped_len = sizeof(escaped) - 1;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || (len - i >= escaped_len && !memcmp(text + i, escaped, escaped_len)))
            return true;
        i += text[i] == '\\'; /* what it escapes, a backslash perhaps, begins nothing */
    }
    return false;
}

int request_parse(const struct body_env *env, const struct field_table *takes, cJSON **ret,
                  char error[REQUEST_ERROR_BYTES])
{
    const char *end = NULL;
    cJSON *json;
    int r = 0;

    /* Texts go to people and into other systems. */
    if (env->request_len > 0 &&
        utf8_valid_prefix(env->request, env->request_len) != env->request_len) {
        snprintf(error, REQUEST_ERROR_BYTES, "the body is not UTF-8");
        return -EINVAL;
    }
    if (env->request_len > 0 && holds_nul(env->request, env->request_len)) {
        snprintf(error, REQUEST_ERROR_BYTES, "the body holds a NUL (\\u0000)");
        return -EINVAL;
    }
    json = env->request_len > 0
               ? cJSON_ParseWithLengthOpts(env->request, env->request_len, &end, false)
               : cJSON_CreateObject();
    if (!json && env->request_len == 0)
        return -ENOMEM;
    while (end && end < env->request + env->request_len && isspace((unsigned char)*end))
        end++;
    if (!cJSON_IsObject(json) || (end && end < env->request + env->request_len)) {
        snprintf(error, REQUEST_ERROR_BYTES, "the body is not a JSON object");
        r = -EINVAL;
    } else {
        r = check(takes, json, error);
    }
    if (r < 0) {
        cJSON_Delete(json);
        return r;
    }
    *ret = json;
    return 0;
}

const char *request_string(const cJSON *json, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

double request_number(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}
