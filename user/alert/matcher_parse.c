#include "alert/matcher_parse.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const operators[MATCHER_OPERATOR_COUNT] = {
    [MATCHER_EQUAL] = "=",
    [MATCHER_NOT_EQUAL] = "!=",
    [MATCHER_REGEX] = "=~",
    [MATCHER_NOT_REGEX] = "!~",
};

const char *matcher_operator_text(enum matcher_operator o)
{
    return operators[o];
}

static int refuse(char error[MATCHER_ERROR_BYTES], const char *start, const char *at,
                  const char *format, ...)
{
    char what[MATCHER_ERROR_BYTES - 32];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    snprintf(error, MATCHER_ERROR_BYTES, "column %zu: %s", (size_t)(at - start) + 1, what);
    return -EINVAL;
}

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

static int parse_name(struct matcher_text *ret, const char **at, const char *start, char *error)
{
    size_t n = 0;

    while (isalnum((unsigned char)(*at)[n]) || (*at)[n] == '_')
        n++;
    if (n == 0 || isdigit((unsigned char)**at))
        return refuse(error, start, *at, "no label name (allowed: letters, digits and _)");
    if (n >= sizeof(ret->name))
        return refuse(error, start, *at, "the label name has %zu bytes (allowed: at most %zu)", n,
                      sizeof(ret->name) - 1);
    memcpy(ret->name, *at, n);
    ret->name[n] = '\0';
    *at += n;
    return 0;
}

static int parse_operator(struct matcher_text *ret, const char **at, const char *start, char *error)
{
    /* The longer ones first: "=" begins "=~". */
    static const enum matcher_operator order[] = {MATCHER_NOT_EQUAL, MATCHER_REGEX,
                                                  MATCHER_NOT_REGEX, MATCHER_EQUAL};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        size_t n = strlen(operators[order[i]]);

        if (strncmp(*at, operators[order[i]], n) != 0)
            continue;
        ret->op = order[i];
        *at += n;
        return 0;
    }
    return refuse(error, start, *at, "no operator (allowed: = != =~ !~)");
}

static int add_byte(struct matcher_text *ret, size_t *n, char byte, const char *start,
                    const char *at, char *error)
{
    if (*n + 1 >= sizeof(ret->value))
        return refuse(error, start, at, "the value is longer than %zu bytes",
                      sizeof(ret->value) - 1);
    ret->value[(*n)++] = byte;
    ret->value[*n] = '\0';
    return 0;
}

/* As in PromQL: \" \\ \n are what they stand for; any other backslash has to be doubled. */
static int parse_quoted(struct matcher_text *ret, const char **at, const char *start, char *error)
{
    const char *s = *at + 1;
    size_t n = 0;
    int r = 0;

    for (; *s && *s != '"' && r == 0; s++) {
        char byte = *s;

        if (byte == '\\') {
            s++;
            if (*s != '"' && *s != '\\' && *s != 'n')
                return refuse(error, start, s - 1,
                              "a backslash before neither \" nor \\ nor n (double it)");
            byte = *s;
            if (byte == 'n')
                byte = '\n';
        }
        r = add_byte(ret, &n, byte, start, s, error);
    }
    if (r < 0)
        return r;
    if (!*s)
        return refuse(error, start, *at, "the quote is not closed");
    *at = s + 1;
    return 0;
}

static int parse_value(struct matcher_text *ret, const char **at, const char *start, char *error)
{
    size_t n = 0;
    int r = 0;

    ret->value[0] = '\0';
    if (**at == '"')
        return parse_quoted(ret, at, start, error);
    while (r == 0 && (isalnum((unsigned char)**at) || (**at && strchr("._-/:", **at)))) {
        r = add_byte(ret, &n, **at, start, *at, error);
        (*at)++;
    }
    if (r == 0 && n == 0)
        return refuse(error, start, *at, "no value (allowed: one in double quotes)");
    return r;
}

int matcher_parse_one(struct matcher_text *ret, const char **at, const char *start,
                      char error[MATCHER_ERROR_BYTES])
{
    int r;

    *at = skip_blanks(*at);
    r = parse_name(ret, at, start, error);
    if (r < 0)
        return r;
    *at = skip_blanks(*at);
    r = parse_operator(ret, at, start, error);
    if (r < 0)
        return r;
    *at = skip_blanks(*at);
    r = parse_value(ret, at, start, error);
    if (r < 0)
        return r;
    *at = skip_blanks(*at);
    return 0;
}
