#include "config/scalar.h"
#include "base/text.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STRING_BYTES_MAX 1024
/* An error names a value, it does not repeat a page of it. */
#define SHOWN_BYTES 60
#define ALLOWED_BYTES 160

const char *environment_value(char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static void describe_range(const struct key *key, struct text *out)
{
    text_add(out, key->above_minimum ? "above " : "from ");
    text_add_double(out, key->minimum);
    text_add(out, key->above_minimum ? " up to " : " to ");
    text_add_double(out, key->maximum);
    if (key->unit)
        text_printf(out, " %s", key->unit);
}

static void describe_choices(const struct key *key, struct text *out)
{
    size_t i;

    for (i = 0; key->choices[i]; i++)
        text_printf(out, "%s\"%s\"", i ? ", " : "", key->choices[i]);
}

void key_describe(const struct key *key, struct text *out)
{
    switch (key->type) {
    case KEY_BOOL:
        text_add(out, "true or false");
        break;
    case KEY_NUMBER:
        text_add(out, "a number ");
        describe_range(key, out);
        break;
    case KEY_WHOLE:
        text_add(out, key->power_of_2 ? "a power of two " : "a whole number ");
        describe_range(key, out);
        break;
    case KEY_STRING:
        text_add(out, key->format ? key->format->allowed : "a string");
        if (key->or_whole)
            text_add(out, " or a whole number");
        break;
    case KEY_CHOICE:
        describe_choices(key, out);
        break;
    case KEY_FLAGS:
        text_add(out, "an array of ");
        describe_choices(key, out);
        break;
    case KEY_STRINGS:
        text_printf(out, "%s%s%s", key->or_one ? "" : "an array of ",
                    key->format ? key->format->allowed : "strings",
                    key->or_one ? "; one or an array of them" : "");
        break;
    case KEY_MAP:
        text_add(out, key->any_json ? "an object" : "an object of strings");
        break;
    case KEY_OBJECT:
        text_add(out, key->short_string ? "an object, a string or a whole number" : "an object");
        break;
    case KEY_LIST:
        text_add(out, "an array of objects");
        break;
    }
}

static void not_allowed(struct reader *reader, const struct key *key, const char *value,
                        const char *why)
{
    struct text allowed;

    text_init(&allowed, ALLOWED_BYTES);
    key_describe(key, &allowed);
    reader_error(reader, "", "%s %s (allowed: %s)", value, why, allowed.data ? allowed.data : "");
    text_free(&allowed);
}

void scalar_not_allowed(struct reader *reader, const struct key *key, const char *value)
{
    char shown[SHOWN_BYTES + 8];

    snprintf(shown, sizeof(shown), "\"%.*s\"%s", SHOWN_BYTES, value,
             strlen(value) > SHOWN_BYTES ? "..." : "");
    not_allowed(reader, key, shown, "is not accepted");
}

static bool number_in_range(struct reader *reader, const struct key *key, double value,
                            const char *otherwise)
{
    struct text shown;
    bool fits = isfinite(value) && value >= key->minimum && value <= key->maximum &&
                !(key->above_minimum && value == key->minimum);

    if (fits && !otherwise)
        return true;
    text_init(&shown, SHOWN_BYTES);
    if (isfinite(value))
        text_add_double(&shown, value);
    else
        text_add(&shown, "the number");
    not_allowed(reader, key, shown.data ? shown.data : "", fits ? otherwise : "is out of range");
    text_free(&shown);
    return false;
}

bool scalar_number(struct reader *reader, const struct key *key, const cJSON *json, double *ret)
{
    if (!number_in_range(reader, key, json->valuedouble, NULL))
        return false;
    *ret = json->valuedouble;
    return true;
}

bool scalar_whole(struct reader *reader, const struct key *key, const cJSON *json, unsigned *ret)
{
    double value = json->valuedouble;
    const char *otherwise = NULL;

    if (value != floor(value))
        otherwise = "is not whole";
    else if (key->power_of_2 && value >= 1 && value <= key->maximum &&
             ((unsigned)value & ((unsigned)value - 1)))
        otherwise = "is not a power of two";
    if (!number_in_range(reader, key, value, otherwise))
        return false;
    *ret = (unsigned)value;
    return true;
}

bool scalar_choice(struct reader *reader, const struct key *key, const cJSON *json, int *ret)
{
    int i;

    if (!cJSON_IsString(json)) {
        reader_error(reader, "", "is not a string (allowed: a string)");
        return false;
    }
    for (i = 0; key->choices[i]; i++) {
        if (strcmp(key->choices[i], json->valuestring) == 0) {
            *ret = i;
            return true;
        }
    }
    scalar_not_allowed(reader, key, json->valuestring);
    return false;
}

static bool has_control_characters(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return true;
    return false;
}

char *scalar_string(struct reader *reader, const struct key *key, const cJSON *json)
{
    size_t maximum =
        key->type == KEY_STRING && key->maximum > 0 ? (size_t)key->maximum : STRING_BYTES_MAX;
    const char *value = json->valuestring;
    char digits[32];
    char *ret;

    if (key->or_whole && cJSON_IsNumber(json)) {
        if (json->valuedouble != floor(json->valuedouble) || json->valuedouble < 0 ||
            json->valuedouble > UINT32_MAX) {
            not_allowed(reader, key, "the number", "is not accepted");
            return NULL;
        }
        snprintf(digits, sizeof(digits), "%.0f", json->valuedouble);
        value = digits;
    } else if (!cJSON_IsString(json)) {
        reader_error(reader, "", "is not a string (allowed: a string)");
        return NULL;
    }
    if (strlen(value) > maximum) {
        reader_error(reader, "", "has %zu bytes (allowed: at most %zu)", strlen(value), maximum);
        return NULL;
    }
    /* Only free text may have lines; in a path or address they would split a log or a header. */
    if (key->format && (!key->format->valid(value) || has_control_characters(value))) {
        scalar_not_allowed(reader, key, value);
        return NULL;
    }
    ret = key->format && key->format->copy ? key->format->copy(value) : strdup(value);
    if (!ret)
        reader->out_of_memory = true;
    return ret;
}

cJSON *scalar_from_text(const struct key *key, const char *text)
{
    static const struct {
        const char *text;
        bool value;
    } booleans[] = {
        {"true", true},   {"1", true},  {"yes", true}, {"on", true},
        {"false", false}, {"0", false}, {"no", false}, {"off", false},
    };
    char *end;
    double number;
    size_t i;

    if (key->type == KEY_BOOL) {
        for (i = 0; i < sizeof(booleans) / sizeof(booleans[0]); i++)
            if (strcasecmp(text, booleans[i].text) == 0)
                return cJSON_CreateBool(booleans[i].value);
    } else if ((key->type == KEY_NUMBER || key->type == KEY_WHOLE) &&
               !text[strspn(text, "0123456789+-.eE")]) {
        number = strtod(text, &end);
        if (end != text && !*end)
            return cJSON_CreateNumber(number);
    }
    return cJSON_CreateString(text);
}
