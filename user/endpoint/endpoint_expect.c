/* Whether an answer is what the configuration says it should be. */
#include "endpoint/endpoint_driver.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One step of a JSON pointer, unescaped: RFC 6901, 4. Debian's cJSON comes without cJSON_Utils. */
static const cJSON *step(const cJSON *json, const char *token, size_t length)
{
    char name[1024];
    size_t n = 0, index = 0;

    for (size_t i = 0; i < length && n + 1 < sizeof(name); i++) {
        bool escaped = token[i] == '~' && i + 1 < length;

        name[n++] = !escaped ? token[i] : token[++i] == '1' ? '/' : '~';
    }
    name[n] = '\0';
    if (cJSON_IsObject(json))
        return cJSON_GetObjectItemCaseSensitive(json, name);
    /* "-" is the element after the last, which is not there. */
    if (!cJSON_IsArray(json) || !n || n > 9 || strspn(name, "0123456789") != n ||
        (n > 1 && name[0] == '0'))
        return NULL;
    index = strtoul(name, NULL, 10);
    return cJSON_GetArrayItem(json, (int)index);
}

static const cJSON *at_pointer(const cJSON *json, const char *pointer)
{
    while (json && *pointer == '/') {
        size_t length = strcspn(pointer + 1, "/");

        json = step(json, pointer + 1, length);
        pointer += 1 + length;
    }
    return json;
}

static bool expect_pair(const struct config_pair *pair, const cJSON *json,
                        char reason[ENDPOINT_REASON_BYTES])
{
    cJSON *expected = cJSON_Parse(pair->value);
    const cJSON *found = at_pointer(json, pair->key);
    bool equal = expected && found && cJSON_Compare(found, expected, true);
    char *text = NULL;

    if (!equal) {
        text = found ? cJSON_PrintUnformatted(found) : NULL;
        snprintf(reason, ENDPOINT_REASON_BYTES, "%.80s is %.60s (expected %.60s)",
                 *pair->key ? pair->key : "the answer", text ? text : "not there", pair->value);
        free(text);
    }
    cJSON_Delete(expected);
    return equal;
}

static bool expect_json(const struct config_map *pairs, const struct http_result *result,
                        char reason[ENDPOINT_REASON_BYTES])
{
    cJSON *json = cJSON_ParseWithLength(result->body, result->body_bytes);
    bool equal = json != NULL;

    if (!json)
        snprintf(reason, ENDPOINT_REASON_BYTES, "the answer is not JSON%s",
                 result->body_cut ? ": it is too long" : "");
    for (size_t i = 0; equal && i < pairs->count; i++)
        equal = expect_pair(&pairs->items[i], json, reason);
    cJSON_Delete(json);
    return equal;
}

static bool expect_certificate(double days, const struct http_result *result,
                               char reason[ENDPOINT_REASON_BYTES])
{
    if (result->certificate_days == HTTP_CERTIFICATE_DAYS_UNKNOWN)
        snprintf(reason, ENDPOINT_REASON_BYTES, "the server's certificate could not be read");
    else if (result->certificate_days < days)
        snprintf(reason, ENDPOINT_REASON_BYTES,
                 "the certificate ends in %d days (expected at least %g)", result->certificate_days,
                 days);
    else
        return true;
    return false;
}

bool endpoint_expect(const struct config_expect *expect, const struct http_result *result,
                     char reason[ENDPOINT_REASON_BYTES])
{
    unsigned status = expect && expect->given ? expect->status : 0;

    if (status ? result->status != status : result->status < 200 || result->status >= 400) {
        if (status)
            snprintf(reason, ENDPOINT_REASON_BYTES, "status %u (expected %u)", result->status,
                     status);
        else
            snprintf(reason, ENDPOINT_REASON_BYTES, "status %u (expected 2xx or 3xx)",
                     result->status);
        return false;
    }
    if (!expect || !expect->given)
        return true;
    if (expect->body &&
        !memmem(result->body, result->body_bytes, expect->body, strlen(expect->body))) {
        snprintf(reason, ENDPOINT_REASON_BYTES, "\"%.100s\" is not in the answer%s", expect->body,
                 result->body_cut ? ", as far as it was read" : "");
        return false;
    }
    if (expect->json.count && !expect_json(&expect->json, result, reason))
        return false;
    return !(expect->certificate_days >= 0) ||
           expect_certificate(expect->certificate_days, result, reason);
}
